"""Makes a tiny language model and its ear, randomly initialised, as llama.cpp reads them: model.gguf and mmproj.gguf.

The model has the architecture of Llama and a chat template with tools. It answers words without sense, and never stops by itself:
the same words for the same prompt, and others for another one. The ear is that of Ultravox: Whisper's encoder and a projector that
stacks eight frames. The same seed gives the same bytes.
"""

import gguf
import numpy

SEED = 1
CONTEXT = 16384
# Of the model.
WIDTH, HEADS, LAYERS, INNER = 64, 4, 2, 128
# Of the ear. Whisper hears 30 s as 1,500 positions; eight of them become one of the model's. Its width is a multiple of five, as
# Whisper's is: llama.cpp pads the 1,500 to a multiple of eight where eight widths are a power of two, and fails over one position.
MELS, EAR_WIDTH, EAR_HEADS, EAR_LAYERS, EAR_INNER, POSITIONS, STACK = 80, 40, 2, 1, 80, 1500, 8

WORDS = """
    amber basket candle daisy ember fable garden harbor island jasmine kettle lantern meadow needle orchard pebble quiver
    ribbon saddle timber umber velvet willow yonder zephyr anchor bramble copper dapple evening feather ginger hollow ivory
    juniper kindle linen marble nettle ocean parsley quartz raven silver thistle under violet walnut yarrow acorn
""".split()
# What stands around a call. Behind the first and a line break, the server lets nothing but a call follow.
CALL = ["<tool_call>", "</tool_call>"]
SPECIAL = ["<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>"]

TEMPLATE = """{%- if tools %}{{- '<|system|>\\nYou may call functions.\\n<tools>' }}
{%- for tool in tools %}{{- '\\n' }}{{- tool | tojson }}{%- endfor %}
{{- '\\n</tools>\\nTo call one, answer with <tool_call>\\n{"name": ..., "arguments": ...}\\n</tool_call><|end|>\\n' }}{%- endif %}
{%- for message in messages %}
{%- if message.role == 'assistant' and message.tool_calls %}
    {{- '<|assistant|>' }}
    {%- if message.content %}{{- '\\n' + message.content }}{%- endif %}
    {%- for tool_call in message.tool_calls %}
        {%- if tool_call.function is defined %}{%- set tool_call = tool_call.function %}{%- endif %}
        {{- '\\n<tool_call>\\n{"name": "' }}{{- tool_call.name }}{{- '", "arguments": ' }}
        {{- tool_call.arguments | tojson }}{{- '}\\n</tool_call>' }}
    {%- endfor %}
    {{- '<|end|>\\n' }}
{%- else %}
    {{- '<|' + message.role + '|>\\n' + message.content + '<|end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|assistant|>\\n' }}{%- endif %}"""


def bytes_as_characters():
    """The characters that stand for bytes in byte-level vocabularies, after GPT-2."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    rest = [byte for byte in range(256) if byte not in plain]
    characters = {byte: chr(byte) for byte in plain} | {byte: chr(256 + n) for n, byte in enumerate(rest)}
    return [characters[byte] for byte in range(256)]


class Weights:
    def __init__(self, writer, random):
        self.writer, self.random = writer, random

    def matrix(self, name, *shape, scale=1.0, edit=None, dtype=numpy.float32):
        """Values whose products with unit vectors are about as large as `scale`."""
        values = self.random.standard_normal(shape) * scale / numpy.sqrt(shape[-1])
        if edit is not None:
            edit(values)
        self.writer.add_tensor(f"{name}.weight", values.astype(dtype))

    def vector(self, name, size, value):
        self.writer.add_tensor(name, numpy.full(size, value, dtype=numpy.float32))


def language_model(path, random):
    tokens = bytes_as_characters()
    kinds = [gguf.TokenType.NORMAL] * len(tokens)
    blank = tokens[ord(" ")]
    words = range(len(tokens), len(tokens) + len(WORDS))
    tokens += [blank + word for word in WORDS]
    kinds += [gguf.TokenType.NORMAL] * len(WORDS)
    begin_call, end_call = len(tokens), len(tokens) + 1
    tokens += CALL
    kinds += [gguf.TokenType.USER_DEFINED] * len(CALL)
    special = {name: len(tokens) + n for n, name in enumerate(SPECIAL)}
    tokens += SPECIAL
    kinds += [gguf.TokenType.CONTROL] * len(SPECIAL)

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("Tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([f"{blank} t"])
    writer.add_bos_token_id(special["<|begin|>"])
    writer.add_eos_token_id(special["<|end|>"])
    writer.add_eot_token_id(special["<|end|>"])
    writer.add_add_bos_token(True)
    writer.add_chat_template(TEMPLATE)

    # The first channel is the same for all tokens and all layers, so that what is read from it is a bias: towards words, away
    # from single bytes and from an end. The second one is that of the beginning of a call, which a line break follows, and the
    # third one that of its end, behind which the answer ends.
    def constant(embeddings):
        embeddings[:, :3] = [4.0, 0.0, 0.0]
        embeddings[begin_call, 1] = embeddings[end_call, 2] = 8.0

    def untouched(weights):
        weights[:3, :] = 0.0

    def biased(output):
        output[:, :3] = [-60.0, 0.0, 0.0]
        output[words.start : words.stop, 0] = 0.0
        output[ord("\n"), 1] = output[special["<|end|>"], 2] = 1000.0

    weights = Weights(writer, random)
    weights.matrix("token_embd", len(tokens), WIDTH, scale=numpy.sqrt(WIDTH), edit=constant)
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        weights.vector(f"{block}.attn_norm.weight", WIDTH, 1.0)
        weights.matrix(f"{block}.attn_q", WIDTH, WIDTH, scale=4.0)
        weights.matrix(f"{block}.attn_k", WIDTH, WIDTH, scale=4.0)
        weights.matrix(f"{block}.attn_v", WIDTH, WIDTH)
        weights.matrix(f"{block}.attn_output", WIDTH, WIDTH, scale=8.0, edit=untouched)
        weights.vector(f"{block}.ffn_norm.weight", WIDTH, 1.0)
        weights.matrix(f"{block}.ffn_gate", INNER, WIDTH)
        weights.matrix(f"{block}.ffn_up", INNER, WIDTH)
        weights.matrix(f"{block}.ffn_down", WIDTH, INNER, scale=2.0, edit=untouched)
    weights.vector("output_norm.weight", WIDTH, 1.0)
    weights.matrix("output", len(tokens), WIDTH, scale=4.0, edit=biased)
    write(writer)


def ear(path, random):
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type(gguf.GGUFType.MMPROJ)
    writer.add_name("Tiny ear")
    writer.add_clip_has_audio_encoder(True)
    writer.add_clip_projector_type(gguf.VisionProjectorType.ULTRAVOX)
    writer.add_audio_projection_dim(WIDTH)
    writer.add_audio_embedding_length(EAR_WIDTH)
    writer.add_audio_feed_forward_length(EAR_INNER)
    writer.add_audio_block_count(EAR_LAYERS)
    writer.add_audio_head_count(EAR_HEADS)
    writer.add_audio_attention_layernorm_eps(1e-5)
    writer.add_audio_num_mel_bins(MELS)
    writer.add_audio_stack_factor(STACK)

    weights = Weights(writer, random)
    weights.matrix("a.position_embd", POSITIONS, EAR_WIDTH)
    # Convolutions are computed with halves.
    weights.matrix("a.conv1d.1", EAR_WIDTH, MELS, 3, dtype=numpy.float16)
    weights.vector("a.conv1d.1.bias", (EAR_WIDTH, 1), 0.0)
    weights.matrix("a.conv1d.2", EAR_WIDTH, EAR_WIDTH, 3, dtype=numpy.float16)
    weights.vector("a.conv1d.2.bias", (EAR_WIDTH, 1), 0.0)
    for layer in range(EAR_LAYERS):
        block = f"a.blk.{layer}"
        for norm in ["ln1", "ln2"]:
            weights.vector(f"{block}.{norm}.weight", EAR_WIDTH, 1.0)
            weights.vector(f"{block}.{norm}.bias", EAR_WIDTH, 0.0)
        for part in ["attn_q", "attn_k", "attn_v", "attn_out"]:
            weights.matrix(f"{block}.{part}", EAR_WIDTH, EAR_WIDTH)
            # Whisper's keys have none.
            if part != "attn_k":
                weights.vector(f"{block}.{part}.bias", EAR_WIDTH, 0.0)
        weights.matrix(f"{block}.ffn_up", EAR_INNER, EAR_WIDTH)
        weights.vector(f"{block}.ffn_up.bias", EAR_INNER, 0.0)
        weights.matrix(f"{block}.ffn_down", EAR_WIDTH, EAR_INNER)
        weights.vector(f"{block}.ffn_down.bias", EAR_WIDTH, 0.0)
    weights.vector("a.post_ln.weight", EAR_WIDTH, 1.0)
    weights.vector("a.post_ln.bias", EAR_WIDTH, 0.0)
    stacked = EAR_WIDTH * STACK
    weights.vector("mm.a.norm_pre.weight", stacked, 1.0)
    weights.matrix("mm.a.mlp.1", 2 * WIDTH, stacked)
    weights.vector("mm.a.norm_mid.weight", WIDTH, 1.0)
    weights.matrix("mm.a.mlp.2", WIDTH, WIDTH, scale=numpy.sqrt(WIDTH) / 4)
    write(writer)


def write(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def make(directory):
    """Both files, in a directory."""
    random = numpy.random.Generator(numpy.random.PCG64(SEED))
    language_model(directory / "model.gguf", random)
    ear(directory / "mmproj.gguf", random)
