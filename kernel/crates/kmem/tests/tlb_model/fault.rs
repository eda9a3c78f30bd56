//! Mistakes that a kernel could make, for the model to find.

/// A mistake in how flushes and loads of tables are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// One of the processors that use the space is not asked.
    OneUserNotAsked,
    /// The users are read before the tables are changed, as without a barrier in between.
    UsersReadBeforeChange,
    /// Frames are freed when all are asked, not when all have answered.
    FreedBeforeAnswers,
    /// A processor answers before it has forgotten.
    AnsweredBeforeDone,
    /// The change is not counted, so that who has the space only cached does not learn of it.
    NotCounted,
    /// Of the pages to be forgotten one by one, the last one is left out.
    OnePageShort,
    /// Large pages are stepped through as if they were small.
    SmallSteps,
    /// Taking rights away is not followed by a flush.
    ProtectNotFlushed,
    /// The processor becomes a user only after the tables are loaded, as without a barrier in between.
    EnteredAfterLoad,
    /// The generation is read before the processor becomes a user.
    GenerationReadBeforeEnter,
    /// The old space is left before the new tables are loaded.
    LeftBeforeLoad,
    /// A processor that goes on to run a thread of the kernel leaves the space, but not its tables.
    LazyLeaves,
    /// Requests are served between the decision how to load tables and the load.
    ServedWhileLoading,
    /// A slot that had another space gets this one without a flush.
    SlotReusedUnflushed,
    /// A slot that is behind its space is loaded without a flush.
    OldSlotTrusted,
    /// Tables of the kernel's half are given back while other PCIDs still know them.
    KernelTablesKnown,
    /// A space is destroyed without asking those who have it loaded lazily.
    RetiredWithoutAsking,
}
