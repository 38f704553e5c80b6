using Spindle.Host.Faults;

namespace Spindle.Host.Bdevs;

/// <summary>What is done about I/O of one bdev that does not complete.</summary>
/// <param name="After">How long its module may take; zero: for ever; null: as long as any.</param>
/// <param name="Action">How far to go then; null: as far as for any.</param>
public sealed record BdevIoTimeout(TimeSpan? After, IoTimeoutAction? Action);
