//! Tool calls: arguments are objects, and older servers give no id.

use crate::canonical::ToolCall;
use crate::json::Object;

/// Writes the members of a tool call; `index` is its number in the message.
pub(super) fn write_call(call: &ToolCall<'_>, index: u64, object: &mut Object<'_>) {
    object.text("id", &call.id);
    let mut function = object.object("function");
    function.u64("index", index);
    function.text("name", &call.name);
    call.arguments.write_object(function.key("arguments"));
}
