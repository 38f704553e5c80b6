using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Modules;

namespace Spindle.Virtual;

/// <summary>All bdevs of a module that sit on others, those that wait for their base included: they come up with the base and go with it. On the app thread.</summary>
/// <typeparam name="T">What the module keeps of each.</typeparam>
public sealed class VirtualBdevs<T>(IModuleContext context) where T : VirtualAssociation
{
    private readonly List<T> _all = [];
    private readonly ILogger _log = context.Logging.CreateLogger(context.ModuleName);

    /// <summary>All of them, in the order in which they were asked for.</summary>
    public IReadOnlyList<T> All => _all;

    /// <summary>Adds one; it comes up at once if its base is there.</summary>
    /// <returns>False when it waits for its base.</returns>
    /// <exception cref="SpindleException">EPERM: the base is claimed. EEXIST: a name is taken. EINVAL: the base does not fit.</exception>
    public bool Add(T association)
    {
        _all.Add(association);
        try
        {
            if (TryBringUp(association)) return true;
        }
        catch
        {
            _all.Remove(association);
            throw;
        }
        _log.LogInformation("Waiting for the base bdev {Base}", association.BaseName);
        return false;
    }

    /// <summary>Ends one: its bdevs are gone when this returns.</summary>
    public async Task DeleteAsync(T association)
    {
        // Forgotten first: it must not come up again when a base of that name appears while it is on its way out.
        _all.Remove(association);
        await RemoveAsync(association);
    }

    /// <summary>A bdev appeared: brings up what waited for it.</summary>
    public void OnNewBdev(Bdevs.Bdev bdev)
    {
        // A copy: bringing one up registers a bdev, which is examined in turn.
        foreach (var association in _all.ToArray())
        {
            if (association.Bdevs.Count == 0 && context.Bdevs.Find(association.BaseName) == bdev) BringUp(association);
        }
    }

    /// <summary>Brings up one that waits, if nothing is missing any more. What stands against it is logged.</summary>
    public void BringUp(T association)
    {
        if (association.Bdevs.Count > 0) return;
        try
        {
            TryBringUp(association);
        }
        catch (SpindleException e)
        {
            _log.LogError("Nothing could be put on {Base}: {Reason}", association.BaseName, e.Message);
        }
    }

    /// <summary>Writes down all of them, and the open bases with their claims, for another version of the module.</summary>
    /// <param name="state">Where to.</param>
    /// <param name="write">Writes one; its values' names start with the prefix.</param>
    /// <param name="writeBdev">Writes what is to be known of one bdev besides its place on the base.</param>
    public void Export(UpgradeState state, Action<T, string> write, Action<VirtualBdev, BdevState>? writeBdev = null)
    {
        state.Set("count", _all.Count);
        for (int i = 0; i < _all.Count; i++)
        {
            var association = _all[i];
            write(association, $"{i}.");
            var bdevs = association.Bdevs.Where(bdev => context.Bdevs.Find(bdev.Name) == bdev).ToArray();
            if (association.Share is not { } share || bdevs.Length == 0) continue;
            state.Set($"{i}.descriptor", share.Descriptor);
            foreach (var bdev in bdevs)
            {
                var values = state.Add(bdev);
                values.Set("association", i);
                values.Set("offset_blocks", bdev.OffsetBlocks);
                writeBdev?.Invoke(bdev, values);
            }
        }
    }

    /// <summary>Takes over what another version of the module wrote by <see cref="Export"/>.</summary>
    /// <param name="state">Where from.</param>
    /// <param name="read">Makes one from the values whose names start with the prefix.</param>
    /// <param name="make">Makes a bdev that takes over from another one; <c>offset_blocks</c> is its first block on the base.</param>
    /// <exception cref="SpindleException">EPROTO: the state is not as it should be.</exception>
    public void Import(UpgradeState state, Func<string, T> read, Func<T, BaseShare, BdevState, VirtualBdev> make)
    {
        int count = state.Get<int>("count");
        for (int i = 0; i < count; i++)
        {
            var association = read($"{i}.");
            _all.Add(association);
            if (!state.Has($"{i}.descriptor")) continue;
            var descriptor = state.Get<IBdevDescriptor>($"{i}.descriptor");
            var share = new BaseShare(descriptor, context.Threads, context.Iobuf, () => Closed(association));
            association.Share = share;
            var bdevs = new List<VirtualBdev>();
            foreach (var values in state.Bdevs.Where(values => values.Get<int>("association") == i))
            {
                share.Take();
                var bdev = make(association, share, values);
                values.Replacement = bdev;
                bdevs.Add(bdev);
            }
            association.Bdevs = bdevs;
            context.Bdevs.Adopt(descriptor, OnBaseEvent, association);
        }
    }

    private bool TryBringUp(T association)
    {
        if (!association.IsReady) return false;
        IBdevDescriptor descriptor;
        try
        {
            descriptor = context.Bdevs.Open(association.BaseName, write: false, OnBaseEvent, association);
        }
        catch (SpindleException e) when (e.Errno == Errno.ENODEV)
        {
            return false;
        }
        // Held here until all are registered, so that a failure in between closes the base just when the last one is gone.
        var share = new BaseShare(descriptor, context.Threads, context.Iobuf, () => Closed(association));
        share.Take();
        association.Share = share;
        try
        {
            context.Bdevs.Claim(descriptor, BdevClaimType.ExclusiveWrite);
            var bdevs = association.Make(share);
            foreach (var bdev in bdevs)
            {
                if (context.Bdevs.Find(bdev.Name) is not null) throw new SpindleException(Errno.EEXIST, $"Bdev name '{bdev.Name}' is taken.");
            }
            association.Bdevs = bdevs;
            Register(bdevs, share);
        }
        finally
        {
            share.Return();
        }
        return true;
    }

    private void Register(IReadOnlyList<VirtualBdev> bdevs, BaseShare share)
    {
        for (int i = 0; i < bdevs.Count; i++)
        {
            share.Take();
            try
            {
                context.Bdevs.Register(bdevs[i]);
            }
            catch
            {
                share.Return();
                for (int done = 0; done < i; done++) _ = RemoveAsync(bdevs[done]);
                throw;
            }
        }
    }

    private void Closed(T association)
    {
        bool wasUp = association.Bdevs.Count > 0;
        association.Bdevs = [];
        association.Share = null;
        if (wasUp && !association.OutlivesBase) _all.Remove(association);
    }

    private void OnBaseEvent(BdevEventType type, Bdevs.Bdev bdev, object? state)
    {
        var association = (T)state!;
        switch (type)
        {
            case BdevEventType.Remove:
                _ = RemoveAsync(association);
                break;
            case BdevEventType.MediaManagement:
                HandUpMediaEvents(association);
                break;
            case BdevEventType.Resize:
                try
                {
                    association.OnBaseResized(context.Bdevs);
                }
                catch (SpindleException e)
                {
                    _log.LogError("What sits on {Base} could not follow its new size: {Reason}", bdev.Name, e.Message);
                }
                break;
        }
    }

    /// <summary>What the base's medium tells is told to those who write to what sits on it.</summary>
    private void HandUpMediaEvents(T association)
    {
        if (association.Share is not { } share) return;
        Span<BdevMediaEvent> taken = stackalloc BdevMediaEvent[16];
        for (int count; (count = share.Descriptor.TakeMediaEvents(taken)) > 0;)
        {
            foreach (var bdev in association.Bdevs)
            {
                var within = new List<BdevMediaEvent>();
                foreach (var one in taken[..count])
                    if (one.Within(bdev.OffsetBlocks, bdev.BlockCount) is { NumBlocks: > 0 } part) within.Add(part);
                if (within.Count > 0 && context.Bdevs.Find(bdev.Name) == bdev) context.Bdevs.NotifyMedia(bdev, within);
            }
        }
    }

    private Task RemoveAsync(T association) => Task.WhenAll(association.Bdevs.Select(RemoveAsync).ToArray());

    private async Task RemoveAsync(VirtualBdev bdev)
    {
        try
        {
            await bdev.PrepareRemovalAsync();
            await context.Bdevs.UnregisterAsync(bdev);
        }
        catch (SpindleException e) when (e.Errno == Errno.ENODEV)
        {
            // It is being deleted already.
        }
        catch (SpindleException e)
        {
            _log.LogError("{Name} could not be removed: {Reason}", bdev.Name, e.Message);
        }
    }
}
