using System.Numerics;
using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme;

namespace Spindle.Frontend.Nvmf.Subsystems;

/// <summary>Adds bdevs to subsystems as namespaces and takes them away, under load: every poll group has its channel before hosts see a namespace, and gives it
/// back, with its commands ended, before the bdev is closed. On the app thread.</summary>
internal sealed class NamespaceAttachment(IBdevRegistry bdevs, Func<IReadOnlyList<NvmfPollGroup>> groups, ILogger log)
{
    /// <summary>Time that hosts have to take what a bdev that is being removed has lent.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    private const uint LeastAppend = 8192;
    private const string ClaimName = "NVMe-oF Target";

    /// <summary>Adds a namespace. The caller holds the subsystem's gate.</summary>
    /// <exception cref="SpindleException">ENODEV: no such bdev. EPERM: another writer has it. EEXIST: the NSID is taken. EINVAL: the parameter is named.</exception>
    public async Task<NvmfNamespace> AddAsync(NvmfSubsystem subsystem, NamespaceParameters parameters)
    {
        uint nsid = ChooseNsid(subsystem, parameters);
        uint anaGroup = parameters.AnaGroupId == 0 ? nsid : parameters.AnaGroupId;
        if (anaGroup > subsystem.Options.MaxNamespaces)
            throw new SpindleException(Errno.EINVAL, $"namespace.anagrpid {anaGroup} is above the subsystem's max_namespaces, {subsystem.Options.MaxNamespaces}.");

        Subscription subscription = new(this, subsystem);
        IBdevDescriptor descriptor = bdevs.Open(parameters.BdevName, new BdevOpenOptions { Write = true, HideMetadata = parameters.HideMetadata }, OnBdevEvent, subscription);
        try
        {
            CheckGeometry(descriptor);
            CheckZones(descriptor);
            bdevs.Claim(descriptor, BdevClaimType.ExclusiveWrite, ClaimName);
            Guid uuid = parameters.Uuid == Guid.Empty ? descriptor.Bdev.Uuid : parameters.Uuid;
            NvmfNamespace ns = new()
            {
                Nsid = nsid,
                Descriptor = descriptor,
                Uuid = uuid,
                Nguid = IsZero(parameters.Nguid) ? UuidBytes.FromGuid(uuid) : parameters.Nguid,
                Eui64 = parameters.Eui64,
                AnaGroupId = anaGroup,
            };
            descriptor.Purpose = $"namespace {nsid} of {subsystem.Nqn}{(descriptor.HidesMetadata ? ", metadata hidden" : "")}";
            await OpenChannelsAsync(subsystem, ns);
            subsystem.AddNamespace(ns);
            subscription.Namespace = ns;
            if (subscription.RemoveCame) _ = RemoveGoneAsync(subsystem, ns);
            return ns;
        }
        catch
        {
            descriptor.Close();
            throw;
        }
    }

    /// <summary>Takes a namespace away: commands for it are refused from now on, those outstanding end, then the bdev is closed. The caller holds the subsystem's gate.</summary>
    public async Task RemoveAsync(NvmfSubsystem subsystem, NvmfNamespace ns)
    {
        if (!subsystem.RemoveNamespace(ns)) return;
        await CloseChannelsAsync(subsystem, ns.Nsid);
        ns.Descriptor.Close();
    }

    private static uint ChooseNsid(NvmfSubsystem subsystem, NamespaceParameters parameters)
    {
        if (subsystem.IsDiscovery) throw new SpindleException(Errno.EINVAL, "A discovery subsystem has no namespaces; name another subsystem.");
        uint nsid = parameters.Nsid;
        if (nsid == 0)
        {
            nsid = subsystem.FindFreeNsid();
            if (nsid == 0) throw new SpindleException(Errno.ENOSPC, $"All {subsystem.Options.MaxNamespaces} NSIDs of {subsystem.Nqn} are taken; create it with a larger max_namespaces.");
            return nsid;
        }
        if (nsid > subsystem.Options.MaxNamespaces)
            throw new SpindleException(Errno.EINVAL, $"namespace.nsid {nsid} is above the subsystem's max_namespaces, {subsystem.Options.MaxNamespaces}.");
        if (subsystem.FindNamespace(nsid) is not null) throw new SpindleException(Errno.EEXIST, $"namespace.nsid {nsid} is taken in {subsystem.Nqn}.");
        return nsid;
    }

    private static void CheckGeometry(IBdevDescriptor descriptor)
    {
        Bdev bdev = descriptor.Bdev;
        if (descriptor.MetadataSize != 0 && !bdev.MetadataInterleaved)
        {
            throw new SpindleException(Errno.EINVAL,
                $"The bdev {bdev.Name} keeps its metadata in a separate buffer, which NVMe/TCP cannot carry; use one with interleaved metadata, or hide it (namespace.hide_metadata).");
        }
        uint dataSize = descriptor.BlockSize - descriptor.MetadataSize;
        if (dataSize < 512 || !BitOperations.IsPow2(dataSize))
        {
            throw new SpindleException(Errno.EINVAL,
                $"The bdev {bdev.Name} has {dataSize} bytes of data in a block; NVMe needs a power of two from 512.");
        }
    }

    /// <summary>What the Zoned Namespace command set cannot tell a host of.</summary>
    private static void CheckZones(IBdevDescriptor descriptor)
    {
        var bdev = descriptor.Bdev;
        if (bdev.IsZoned && descriptor.HidesMetadata)
            throw new SpindleException(Errno.ENOTSUP, $"namespace.hide_metadata: the bdev {bdev.Name} is zoned, and its zones are told to those alone who see its metadata; leave it out.");
        // ZASL has no value below 2 pages of 4 KiB.
        if (bdev.MaxZoneAppendBlocks != 0 && (ulong)bdev.MaxZoneAppendBlocks * (bdev.BlockSize - bdev.MetadataSize) < LeastAppend)
        {
            throw new SpindleException(Errno.EINVAL,
                $"The bdev {bdev.Name} takes zone appends of up to {bdev.MaxZoneAppendBlocks} blocks; NVMe needs {LeastAppend} bytes.");
        }
    }

    private async Task OpenChannelsAsync(NvmfSubsystem subsystem, NvmfNamespace ns)
    {
        try
        {
            foreach (NvmfPollGroup group in groups())
            {
                await group.Thread.InvokeAsync(() =>
                {
                    group.FindSubsystem(subsystem.Id)?.Add(ns.Nsid, NamespaceChannel.Open(ns));
                    return Task.CompletedTask;
                });
            }
        }
        catch
        {
            await CloseChannelsAsync(subsystem, ns.Nsid);
            throw;
        }
    }

    private async Task CloseChannelsAsync(NvmfSubsystem subsystem, uint nsid)
    {
        Task[] closed = [.. groups().Select(group => group.Thread.InvokeAsync(async () =>
        {
            if (group.FindSubsystem(subsystem.Id)?.Remove(nsid) is not { } channel) return;
            TaskCompletionSource drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
            channel.Close(drained.SetResult);
            if (await Task.WhenAny(drained.Task, Task.Delay(s_patience)) == drained.Task) return;
            // What the bdev lent is still to be sent: a host that does not take its data must not keep the bdev.
            foreach (NvmfQueuePair queuePair in group.QueuePairs.ToArray())
            {
                if (queuePair.HasLent(channel)) queuePair.Disconnect("the host does not take the data of a namespace that is being removed");
            }
            await drained.Task;
        }))];
        await Task.WhenAll(closed);
    }

    private static void OnBdevEvent(BdevEventType type, Bdev bdev, object? state)
    {
        Subscription subscription = (Subscription)state!;
        switch (type)
        {
            case BdevEventType.Remove:
                subscription.RemoveCame = true;
                if (subscription.Namespace is { } gone) _ = subscription.Owner.RemoveGoneAsync(subscription.Subsystem, gone);
                break;
            case BdevEventType.Replaced:
                if (subscription.Namespace is { } replaced) subscription.Owner.OnReplaced(subscription.Subsystem, replaced.Nsid);
                break;
            case BdevEventType.Resize:
                if (subscription.Namespace is { } resized) subscription.Subsystem.NotifyNamespaceChanged(resized.Nsid);
                break;
        }
    }

    private void OnReplaced(NvmfSubsystem subsystem, uint nsid)
    {
        foreach (NvmfPollGroup group in groups())
        {
            group.Thread.Send(static state =>
            {
                var (group, id, nsid) = ((NvmfPollGroup, int, uint))state!;
                group.FindSubsystem(id)?.Find(nsid)?.OnBdevReplaced();
            }, (group, subsystem.Id, nsid));
        }
    }

    private async Task RemoveGoneAsync(NvmfSubsystem subsystem, NvmfNamespace ns)
    {
        await subsystem.Gate.WaitAsync();
        try
        {
            log.LogInformation("Bdev {Bdev} went away: removing namespace {Nsid} of {Nqn}", ns.Bdev.Name, ns.Nsid, subsystem.Nqn);
            await RemoveAsync(subsystem, ns);
        }
        catch (Exception e)
        {
            log.LogError("Removing namespace {Nsid} of {Nqn} failed: {Error}", ns.Nsid, subsystem.Nqn, e.Message);
        }
        finally
        {
            subsystem.Gate.Release();
        }
    }

    private static bool IsZero(UuidBytes bytes) => !((ReadOnlySpan<byte>)bytes).ContainsAnyExcept((byte)0);

    /// <summary>What a bdev's events refer to.</summary>
    private sealed class Subscription(NamespaceAttachment owner, NvmfSubsystem subsystem)
    {
        public NamespaceAttachment Owner { get; } = owner;
        public NvmfSubsystem Subsystem { get; } = subsystem;
        public NvmfNamespace? Namespace { get; set; }
        public bool RemoveCame { get; set; }
    }
}
