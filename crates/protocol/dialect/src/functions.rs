//! The tools of a request, for dialects that know functions and nothing else.

use crate::Dialect;
use crate::canonical::{FunctionTool, Request, Tool};
use crate::error::{Error, What};
use crate::openai_chat::is_run_by_caller;
use crate::options::Notes;

/// The functions of a request. What a vendor runs itself is left out and noted; what the caller runs is an error,
/// because the conversation makes no sense without it.
pub(crate) fn functions<'r, 'a>(
    request: &'r Request<'a>,
    target: Dialect,
    notes: &mut Notes,
) -> Result<Vec<&'r FunctionTool<'a>>, Error> {
    let mut functions = Vec::with_capacity(request.tools.len());
    for (position, tool) in request.tools.iter().enumerate() {
        match tool {
            Tool::Function(function) => functions.push(function),
            // Its own dialect writes it as it is.
            Tool::Vendor { .. } if request.source == target => {}
            Tool::Hosted(hosted) => notes.drop(&format!("tools[].{}", hosted.kind.plain())),
            Tool::Vendor { kind, .. } if !is_run_by_caller(&kind.plain()) => {
                notes.drop(&format!("tools[].{}", kind.plain()));
            }
            Tool::Custom(_) | Tool::Vendor { .. } => {
                let what = What::Inexpressible(target);
                return Err(Error::at("type", what).in_element(position).in_member("tools"));
            }
        }
    }
    Ok(functions)
}
