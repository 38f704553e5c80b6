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
            if (association.Bdevs.Count > 0 || context.Bdevs.Find(association.BaseName) != bdev) continue;
            try
            {
                TryBringUp(association);
            }
            catch (SpindleException e)
            {
                _log.LogError("Nothing could be put on {Base}: {Reason}", association.BaseName, e.Message);
            }
        }
    }

    private bool TryBringUp(T association)
    {
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
        var share = new BaseShare(descriptor, context.Threads, () => Closed(association));
        share.Take();
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
