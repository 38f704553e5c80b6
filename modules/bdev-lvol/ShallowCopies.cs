using Spindle.Bdevs;
using Spindle.Modules;

namespace Spindle.Bdev.Lvol;

/// <summary>Copies of volumes to bdevs that are under way, or have ended and not been asked for. On the app thread.</summary>
public sealed class ShallowCopies(IModuleContext context)
{
    private readonly Dictionary<uint, ShallowCopy> _all = [];
    private uint _last;

    /// <summary>Starts one.</summary>
    /// <returns>Its number, from 1.</returns>
    /// <exception cref="SpindleException">ENODEV: no such bdev. EPERM: it is in use.</exception>
    public uint Start(Lvol lvol, string target)
    {
        LvolStores.CheckThere(lvol.Store);
        var copy = new ShallowCopy(lvol.Blob.AllocatedClusters);
        var descriptor = context.Bdevs.Open(target, write: true, static (_, _, _) => { });
        try
        {
            context.Bdevs.Claim(descriptor, BdevClaimType.ExclusiveWrite);
        }
        catch
        {
            descriptor.Close();
            throw;
        }
        _all[++_last] = copy;
        _ = RunAsync(lvol, descriptor, copy);
        return _last;
    }

    /// <summary>Tells how far one is; one that has ended is told of once.</summary>
    /// <exception cref="SpindleException">ENODEV: there is no such.</exception>
    public ShallowCopy Check(uint number)
    {
        if (!_all.TryGetValue(number, out var copy)) throw new SpindleException(Errno.ENODEV, $"There is no shallow copy {number}, or its end has been told.");
        if (copy.State != "in progress") _all.Remove(number);
        return copy;
    }

    private static async Task RunAsync(Lvol lvol, IBdevDescriptor target, ShallowCopy copy)
    {
        try
        {
            await lvol.Store.Blobs.ShallowCopyAsync(lvol.Blob, target, done => copy.Copied = done);
            copy.HasEnded = true;
        }
        catch (SpindleException e)
        {
            copy.Error = e;
        }
        finally
        {
            target.Close();
        }
    }
}

/// <summary>A copy of a volume to a bdev.</summary>
/// <param name="total">Clusters to be copied.</param>
public sealed class ShallowCopy(uint total)
{
    /// <summary>Clusters to be copied.</summary>
    public uint Total => total;
    /// <summary>Clusters that are.</summary>
    public uint Copied { get; internal set; }
    /// <summary>Why it has ended early; null while it goes on or when it has succeeded.</summary>
    public SpindleException? Error { get; internal set; }
    /// <summary>As SPDK calls it.</summary>
    public string State => Error is not null ? "error" : HasEnded ? "complete" : "in progress";

    internal bool HasEnded { get; set; }
}
