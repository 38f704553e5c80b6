using System.Runtime.CompilerServices;
using Spindle.Bdevs;

namespace Spindle.Bdev.Raid;

/// <summary>Something that does I/O on members: an I/O of the array, or a step of a rebuild. Made once, used again. On its channel's thread.</summary>
public abstract class RaidOperation : BdevIoWait
{
    /// <summary>A member has done what it was asked for by this operation.</summary>
    /// <param name="member">The member.</param>
    /// <param name="result">How it ended.</param>
    [DataPath]
    protected internal abstract void OnMemberCompleted(RaidMemberChannel member, in BdevIoResult result);

    /// <summary>After a member refused with -ENOMEM: has <see cref="BdevIoWait.OnAvailable"/> called when it has an I/O object again.</summary>
    /// <returns>False when it has one already: try again now.</returns>
    [DataPath]
    protected bool WaitsFor(RaidMemberChannel member) => member.Lower.QueueIoWait(this) == 0;
}
