//! Small ONNX models, written byte by byte: enough of the format (protocol buffers, `onnx.proto` 3) for a chain of operators that
//! need no attributes.

/// A model of one input and one output, floats of these shapes, which go through `operators` one after the other.
pub(crate) fn chain(input: &[u64], operators: &[&str], output: &[u64]) -> Vec<u8> {
    let value = |at: usize| format!("v{at}");
    let mut graph = Vec::new();
    for (at, operator) in operators.iter().enumerate() {
        let (from, to) = (value(at), value(at + 1));
        // NodeProto: input 1, output 2, op_type 4.
        let node = [text(1, &from), text(2, &to), text(4, operator)].concat();
        graph.extend(bytes(1, &node));
    }
    // GraphProto: node 1, name 2, input 11, output 12.
    graph.extend(text(2, "chain"));
    graph.extend(bytes(11, &tensor(&value(0), input)));
    graph.extend(bytes(12, &tensor(&value(operators.len()), output)));
    // ModelProto: ir_version 1, graph 7, opset_import 8, whose version is 2.
    [number(1, 8), bytes(7, &graph), bytes(8, &number(2, 17))].concat()
}

/// ValueInfoProto: name 1, type 2; in it tensor_type 1 with elem_type 1 (1 is float) and shape 2, whose dim 1 has dim_value 1.
fn tensor(name: &str, shape: &[u64]) -> Vec<u8> {
    let dimensions: Vec<u8> = shape.iter().flat_map(|size| bytes(1, &number(1, *size))).collect();
    let kind = [number(1, 1), bytes(2, &dimensions)].concat();
    [text(1, name), bytes(2, &bytes(1, &kind))].concat()
}

fn text(field: u64, value: &str) -> Vec<u8> {
    bytes(field, value.as_bytes())
}

fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
