using Microsoft.Extensions.Logging;
using Spindle.Bdev.Nvme.Bdevs;
using Spindle.Bdev.Nvme.Namespaces;
using Spindle.Modules;
using Spindle.Nvme.Identify;

namespace Spindle.Bdev.Nvme.Controllers;

/// <summary>All controllers that were attached under one name: the paths to one subsystem, and the bdevs on its namespaces. On the app thread.</summary>
internal sealed class ControllerGroup(string name, IModuleContext context, NvmeOptions options, Action<ControllerGroup> emptied, ILogger log)
{
    internal string Name { get; } = name;
    internal Threading.IStorageThreads Threads => context.Threads;
    internal List<NvmeController> Controllers { get; } = [];
    internal SortedDictionary<uint, NvmeBdev> Bdevs { get; } = [];

    /// <summary>Takes in a connected controller.</summary>
    /// <exception cref="SpindleException">EINVAL: it cannot be a path beside those that there are.</exception>
    internal void Add(NvmeController controller)
    {
        var session = controller.Session!;
        foreach (var other in Controllers)
        {
            if (other.Cntlid == session.Terms.Cntlid)
                throw new SpindleException(Errno.EINVAL, $"{controller.Addresses[0]} gives controller {session.Terms.Cntlid}, which {Name} has already.");
            if ((session.Identify.Cmic & ControllerMultiPathCapabilities.MultipleControllers) == 0)
                throw new SpindleException(Errno.EINVAL, $"{controller.Addresses[0]} says that its subsystem has one controller only (CMIC): it cannot be a second path of {Name}.");
        }
        controller.Group = this;
        Controllers.Add(controller);
    }

    /// <summary>A controller shows a namespace: a new bdev, a new path to one, or one that may have changed.</summary>
    internal void AddNamespace(NvmeController controller, NamespaceInfo info)
    {
        if (controller.Namespaces.TryGetValue(info.Nsid, out var known))
        {
            if (known.Info.IsSame(info) && known.Info.HasFormatOf(info))
            {
                known.Info = info;
                if (known.Bdev is { } grown && grown.BlockCount != info.Blocks) Resize(grown, info.Blocks);
                return;
            }
            // Another namespace under the same number, or another format: a bdev does not change so.
            RemoveNamespace(known);
        }
        var path = new NvmeNamespace(controller, info);
        controller.Namespaces[info.Nsid] = path;
        if (Bdevs.TryGetValue(info.Nsid, out var bdev))
        {
            // The openers of one that is leaving take their time; nothing here waits for them.
            if (bdev.IsLeaving) _ = RegisterAfterAsync(bdev.Removal, path);
            else AddAsPath(bdev, path);
            return;
        }
        Register(path);
    }

    private void AddAsPath(NvmeBdev bdev, NvmeNamespace path)
    {
        if (bdev.Info.IsSame(path.Info) && bdev.Info.HasFormatOf(path.Info)) bdev.AddPath(path);
        else log.LogError("{Controller}: namespace {Nsid} is not the same as that of the other paths and is passed over", path.Controller, path.Nsid);
    }

    private async Task RegisterAfterAsync(Task? removal, NvmeNamespace path)
    {
        await (removal ?? Task.CompletedTask);
        if (!path.Controller.Namespaces.TryGetValue(path.Nsid, out var current) || current != path || path.Bdev is not null) return;
        if (Bdevs.TryGetValue(path.Nsid, out var bdev)) AddAsPath(bdev, path);
        else Register(path);
    }

    private void Register(NvmeNamespace path)
    {
        var session = path.Controller.Session;
        if (session is null) return;
        var bdev = new NvmeBdev($"{Name}n{path.Nsid}", this, path, session, options);
        bdev.AddPath(path);
        Bdevs[path.Nsid] = bdev;
        try
        {
            context.Bdevs.Register(bdev);
        }
        catch (SpindleException e)
        {
            Bdevs.Remove(path.Nsid);
            path.Bdev = null;
            log.LogError("{Bdev} cannot be made: {Reason}", bdev.Name, e.Message);
        }
    }

    private void Resize(NvmeBdev bdev, ulong blocks)
    {
        try
        {
            context.Bdevs.Resize(bdev, blocks);
            log.LogInformation("{Bdev} has {Blocks} blocks now", bdev.Name, blocks);
        }
        catch (SpindleException e)
        {
            log.LogError("{Bdev} cannot get {Blocks} blocks: {Reason}", bdev.Name, blocks, e.Message);
        }
    }

    /// <summary>A controller does not show a namespace any more: its bdev goes when it was the last path.</summary>
    internal void RemoveNamespace(NvmeNamespace path)
    {
        path.Controller.Namespaces.Remove(path.Nsid);
        if (path.Bdev is not { } bdev) return;
        if (bdev.Paths.Length > 1) bdev.RemovePath(path);
        else _ = RemoveAsync(bdev);
    }

    // The last path stays until the bdev is gone: what is under way may end by it.
    private Task RemoveAsync(NvmeBdev bdev) => bdev.Removal ??= UnregisterAsync(bdev);

    private async Task UnregisterAsync(NvmeBdev bdev)
    {
        bdev.IsLeaving = true;
        try
        {
            if (context.Bdevs.Find(bdev.Name) == bdev) await context.Bdevs.UnregisterAsync(bdev);
        }
        catch (SpindleException e)
        {
            log.LogWarning("{Bdev} could not be removed: {Reason}", bdev.Name, e.Message);
        }
        Forget(bdev);
    }

    /// <summary>A bdev is gone, whoever took it away.</summary>
    internal void Forget(NvmeBdev bdev)
    {
        bdev.IsLeaving = true;
        if (Bdevs.TryGetValue(bdev.Info.Nsid, out var current) && current == bdev) Bdevs.Remove(bdev.Info.Nsid);
        foreach (var path in bdev.Paths) path.Bdev = null;
    }

    /// <summary>Ends a path: bdevs that have others live on, the others are removed first.</summary>
    internal async Task DeleteAsync(NvmeController controller)
    {
        if (!Controllers.Contains(controller)) return;
        var deletion = controller.Deletion ??= RunDeleteAsync(controller);
        await deletion;
    }

    private async Task RunDeleteAsync(NvmeController controller)
    {
        await Task.Yield();
        var removals = new List<Task>();
        foreach (var path in controller.Namespaces.Values.ToArray())
        {
            if (path.Bdev is not { } bdev) continue;
            if (bdev.Paths.Length > 1) bdev.RemovePath(path);
            else removals.Add(RemoveAsync(bdev));
        }
        await Task.WhenAll(removals);
        await controller.DeleteAsync();
        Controllers.Remove(controller);
        if (Controllers.Count == 0) emptied(this);
    }
}
