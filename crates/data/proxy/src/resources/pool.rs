//! Which keys an operation may use, and how many of them.

use dialect::Operation;

/// How the keys of a provider are used for an operation without a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyUse {
    /// One that serves the model where the request names one, else any; another where it fails.
    OfModel,
    /// One; what it makes belongs to it.
    One { for_batches: bool },
    /// Every one until one succeeds.
    Each { for_batches: bool },
}

/// How the keys are used for `operation`.
pub(super) fn key_use(operation: Operation) -> KeyUse {
    use Operation as O;
    match operation {
        O::BatchCreate | O::FileUpload => KeyUse::One { for_batches: true },
        O::BatchList | O::BatchRetrieve | O::BatchCancel | O::BatchDelete | O::BatchResults => {
            KeyUse::Each { for_batches: true }
        }
        O::ContainerCreate | O::CachedContentCreate => KeyUse::One { for_batches: false },
        O::FileList
        | O::FileRetrieve
        | O::FileDelete
        | O::FileContent
        | O::ContainerList
        | O::ContainerRetrieve
        | O::ContainerDelete
        | O::ContainerFileCreate
        | O::ContainerFileList
        | O::ContainerFileRetrieve
        | O::ContainerFileContent
        | O::ContainerFileDelete
        | O::CachedContentList
        | O::CachedContentRetrieve
        | O::CachedContentUpdate
        | O::CachedContentDelete
        | O::ResponsesRetrieve
        | O::ResponsesRetrieveStream
        | O::ResponsesDelete
        | O::ResponsesCancel
        | O::ResponsesInputItems
        | O::VideoRetrieve
        | O::VideoDownload
        | O::VideoDelete
        | O::VideoList
        | O::VideoRemix => KeyUse::Each { for_batches: false },
        _ => KeyUse::OfModel,
    }
}

/// Whether the replies of an operation are bytes that are nobody's JSON to add to.
pub(super) fn gives_bytes(operation: Operation) -> bool {
    use Operation as O;
    matches!(
        operation,
        O::FileContent
            | O::BatchResults
            | O::ContainerFileContent
            | O::VideoDownload
            | O::Passthrough
            | O::PassthroughStream
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_belongs_to_one_key_and_is_looked_for_at_all() {
        for operation in Operation::all() {
            let name = operation.name();
            let is_of_batches = name.starts_with("batch_") || name == "file_upload";
            match key_use(operation) {
                KeyUse::One { for_batches } => {
                    assert!(name.ends_with("_create") || name.ends_with("_upload"), "{name}");
                    assert_eq!(for_batches, is_of_batches, "{name}");
                }
                KeyUse::Each { for_batches } => assert_eq!(for_batches, is_of_batches, "{name}"),
                KeyUse::OfModel => assert!(!is_of_batches, "{name}"),
            }
        }
    }
}
