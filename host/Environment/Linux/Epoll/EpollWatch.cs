namespace Spindle.Host.Environments.Linux.Epoll;

/// <summary>A descriptor that epoll watches for one ring, and who waits for it. Kept under the descriptor's number until that is used for another.</summary>
internal sealed class EpollWatch(object target, uint generation)
{
    /// <summary>Tells whose number it is now.</summary>
    internal readonly object Target = target;

    /// <summary>Tells late events of an earlier descriptor of the same number.</summary>
    internal readonly uint Generation = generation;

    /// <summary>The operation that reads: receive, accept, event.</summary>
    internal OperationSlot? In;

    /// <summary>The operation that sends.</summary>
    internal OperationSlot? Out;

    /// <summary>Worth a try; false from "try again" until the next event.</summary>
    internal bool InReady = true;

    /// <inheritdoc cref="InReady"/>
    internal bool OutReady = true;

    /// <summary>The peer closed, or an error is there: no more edges may come, so every operation is tried.</summary>
    internal bool HungUp;
}
