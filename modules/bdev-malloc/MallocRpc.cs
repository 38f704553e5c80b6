using Spindle.Bdevs;
using Spindle.Modules;
using Spindle.Rpc;

namespace Spindle.Bdev.Malloc;

/// <summary>The module's RPC methods.</summary>
public sealed class MallocRpc(IModuleContext context)
{
    private int _nextDefaultName;

    /// <summary>Makes a bdev in memory and returns its name.</summary>
    /// <exception cref="SpindleException">EINVAL: a parameter, which is named. ENOMEM. EEXIST: the name or UUID is taken.</exception>
    [RpcMethod("bdev_malloc_create", Summary = "Create a bdev in memory; returns its name.")]
    public async Task<string> CreateAsync(MallocCreateParameters parameters, CancellationToken cancellationToken)
    {
        var options = MallocOptions.Of(parameters);
        string name = parameters.Name ?? DefaultName();
        if (name.Length == 0) throw new SpindleException(Errno.EINVAL, "name is empty: give one, or leave it out.");
        if (context.Bdevs.Find(name) is not null) throw new SpindleException(Errno.EEXIST, $"Bdev name '{name}' is taken: choose another name.");
        var store = new MallocStore(context.Memory, options);
        try
        {
            // Writing protection information to every block touches all of the memory: not on a reactor.
            if (options.Protection is not null) await Task.Run(store.Format, cancellationToken);
            context.Bdevs.Register(new MallocBdev(name, options, store));
            store.Prefault();
        }
        catch
        {
            await store.DisposeAsync();
            throw;
        }
        return name;
    }

    /// <summary>Deletes a bdev that this module made.</summary>
    /// <exception cref="SpindleException">ENODEV: there is no such bdev.</exception>
    [RpcMethod("bdev_malloc_delete", Summary = "Delete a bdev in memory.")]
    public async Task<bool> DeleteAsync(MallocDeleteParameters parameters)
    {
        if (context.Bdevs.Find(parameters.Name) is not MallocBdev bdev)
            throw new SpindleException(Errno.ENODEV, $"There is no malloc bdev '{parameters.Name}'.");
        await context.Bdevs.UnregisterAsync(bdev);
        return true;
    }

    private string DefaultName()
    {
        while (true)
        {
            string name = $"Malloc{_nextDefaultName++}";
            if (context.Bdevs.Find(name) is null) return name;
        }
    }
}
