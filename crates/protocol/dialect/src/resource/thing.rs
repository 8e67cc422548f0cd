//! The common form of what is asked about things that are kept, and of the things.

use std::borrow::Cow;

use crate::Dialect;
use crate::operation::Operation;

/// What is asked.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) operation: Operation,
    /// Of the thing; empty where there is none yet, or all are meant.
    pub(crate) id: String,
    /// Most things of a list.
    pub(crate) limit: Option<Cow<'a, str>>,
    /// Where the list goes on.
    pub(crate) after: Option<Cow<'a, str>>,
    pub(crate) upload: Option<Upload<'a>>,
    pub(crate) batch: Option<NewBatch>,
}

impl Ask<'_> {
    pub(crate) fn new(operation: Operation, id: &str) -> Self {
        Self { operation, id: id.to_owned(), limit: None, after: None, upload: None, batch: None }
    }
}

/// A file on its way to a provider.
#[derive(Debug)]
pub(crate) struct Upload<'a> {
    pub(crate) name: String,
    pub(crate) media_type: String,
    pub(crate) purpose: Option<String>,
    pub(crate) bytes: &'a [u8],
}

/// A batch that is to be made.
#[derive(Debug, Default)]
pub(crate) struct NewBatch {
    pub(crate) name: Option<String>,
    pub(crate) model: String,
    pub(crate) input_file: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) window: Option<String>,
    /// An object in JSON.
    pub(crate) metadata: Option<String>,
    /// Where a cloud puts the results, and who may write there.
    pub(crate) output_uri: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) questions: Vec<Question>,
}

/// One question of a batch.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) id: String,
    /// How `body` is written.
    pub(crate) dialect: Dialect,
    /// In JSON.
    pub(crate) body: String,
}

/// A file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// In seconds since 1970, as all times here.
    pub(crate) created: u64,
    pub(crate) expires: Option<u64>,
    pub(crate) purpose: Option<String>,
    pub(crate) media_type: Option<String>,
    pub(crate) uri: Option<String>,
    pub(crate) state: FileState,
    pub(crate) is_downloadable: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FileState {
    #[default]
    Ready,
    Processing,
    Failed,
}

/// A batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) id: String,
    pub(crate) state: BatchState,
    pub(crate) name: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) window: Option<String>,
    pub(crate) input_file: Option<String>,
    pub(crate) output_file: Option<String>,
    pub(crate) error_file: Option<String>,
    /// An object in JSON.
    pub(crate) metadata: Option<String>,
    /// What went wrong with the batch as a whole.
    pub(crate) error: Option<String>,
    pub(crate) created: u64,
    pub(crate) started: Option<u64>,
    pub(crate) cancelling: Option<u64>,
    pub(crate) ended: Option<u64>,
    pub(crate) expires: Option<u64>,
    pub(crate) counts: Counts,
    /// Those that are part of the batch.
    pub(crate) answers: Vec<Answer>,
}

/// How far the questions of a batch are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) total: u64,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
    pub(crate) expired: u64,
}

impl Counts {
    /// Those that are still to be answered.
    pub(crate) fn open(self) -> u64 {
        let closed = self.succeeded + self.failed + self.cancelled + self.expired;
        self.total.saturating_sub(closed)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum BatchState {
    #[default]
    Validating,
    InProgress,
    Finalizing,
    Completed,
    Failed,
    Expired,
    Cancelling,
    Cancelled,
}

/// What became of one question of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) id: String,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A reply of that dialect, in JSON.
    Reply(Dialect, String),
    /// A status, and an error body in JSON of that dialect.
    Error(Dialect, u16, String),
    Cancelled,
    Expired,
}

/// A piece of a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) has_more: bool,
    /// Where the list goes on, where that is not behind its last item.
    pub(crate) next: Option<String>,
}

/// What a provider answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Thing {
    File(File),
    Files(Page<File>),
    Batch(Box<Batch>),
    Batches(Page<Batch>),
    /// It is gone.
    Deleted(String),
    /// The answers of the batch of that id.
    Answers(String, Vec<Answer>),
}

impl Thing {
    /// Spells every id anew.
    pub(crate) fn map_ids(&mut self, spell: fn(&str) -> String) {
        let anew = |id: &mut String| *id = spell(id);
        let of_batch = |batch: &mut Batch| {
            anew(&mut batch.id);
            let files = [&mut batch.input_file, &mut batch.output_file, &mut batch.error_file];
            files.into_iter().flatten().for_each(anew);
        };
        match self {
            Self::File(file) => anew(&mut file.id),
            Self::Files(page) => page.items.iter_mut().for_each(|file| anew(&mut file.id)),
            Self::Batch(batch) => of_batch(batch),
            Self::Batches(page) => page.items.iter_mut().for_each(of_batch),
            Self::Deleted(id) | Self::Answers(id, _) => anew(id),
        }
    }
}
