namespace Spindle.Threading;

/// <summary>Something a storage thread does at its next turn: linked into the thread's work list once, however often it is asked for.</summary>
internal abstract class ThreadWork
{
    internal ThreadWork? NextWork;
    internal bool IsWorkQueued;

    internal abstract void RunWork();
}
