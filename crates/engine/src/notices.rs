//! The names of everything the engine reports to the developer: the published vocabulary of call events.

/// The client sent more text than one call keeps.
pub const HISTORY_FULL: &str = "history.full";
/// Speech was noticed that neither the model nor a transcriber can understand.
pub const SPEECH_NOT_UNDERSTOOD: &str = "speech.not_understood";
/// A turn's words could not be had.
pub const TRANSCRIPTION_FAILED: &str = "transcription.failed";
/// The language model failed.
pub const MODEL_FAILED: &str = "model.failed";
/// The model's answer was longer than one message may be.
pub const MODEL_TOO_LONG: &str = "model.message_too_long";
/// A model's answer or a forced message asked for more tools than it may.
pub const TOO_MANY_TOOLS: &str = "tool.too_many_calls";
/// Too many requests came before anybody joined.
pub const REQUEST_DROPPED: &str = "request.dropped";
/// The voice failed.
pub const VOICE_FAILED: &str = "voice.failed";
/// Audio ran out in the middle of a message.
pub const PLAYOUT_UNDERRUN: &str = "playout.underrun";
/// A tool did not answer in time.
pub const TOOL_TIMED_OUT: &str = "tool.timed_out";
/// A tool failed.
pub const TOOL_FAILED: &str = "tool.failed";
/// A tool's result came that nothing waits for: unknown, late or twice.
pub const TOOL_RESULT_IGNORED: &str = "tool.result_ignored";
/// The model named a tool that the call does not have.
pub const TOOL_UNKNOWN: &str = "tool.unknown";
/// The model's arguments were not a JSON object.
pub const TOOL_ARGUMENTS: &str = "tool.bad_arguments";
/// Tools called each other on for too long without the user.
pub const TOOL_ROUNDS: &str = "tool.too_many_rounds";
/// A change of the call's state was not a JSON object.
pub const STATE_UPDATE_IGNORED: &str = "state.update_ignored";
/// A new stage of the call began.
pub const STAGE_CHANGED: &str = "stage.changed";
/// Too many forced messages wait for their moment.
pub const FORCED_MESSAGE_DROPPED: &str = "forced_message.dropped";
/// The agent was interrupted.
pub const INTERRUPTED: &str = "turn.interrupted";
/// The user's speech paused the agent and was found to be no interruption.
pub const RESUMED: &str = "turn.resumed";
/// A tool of a side thread wanted to end the call or change its stage (protocol.md 7.11).
pub const UNSUPPORTED_CALL_CHANGE: &str = "thread_comms.unsupported_call_change";
/// A message was sent to a thread that does not exist.
pub const NON_EXISTENT_THREAD: &str = "thread_comms.non_existent_thread";
/// A message was sent to a thread that has failed.
pub const FAILED_THREAD: &str = "thread_comms.failed_thread";
/// The user paused and something says that they are not finished: the turn may hold more silence than usual.
pub const TURN_HELD: &str = "turn.held";
/// An answer was dropped before anybody heard it, because the user went on.
pub const ANSWER_DROPPED: &str = "turn.answer_dropped";
/// The call reached its maximum duration.
pub const MAX_DURATION: &str = "call.max_duration";
/// Too many failures in a row.
pub const GAVE_UP: &str = "call.gave_up";
/// The connection was lost, and the call waits for its client.
pub const DROPPED: &str = "call.dropped";
/// The client is back that was lost.
pub const REJOINED: &str = "call.rejoined";
