using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Modules;
using Spindle.Rpc;

namespace Spindle.Bdev.Passthru;

/// <summary>All passthru bdevs that were asked for, those that wait for their base included. On the app thread.</summary>
/// <remarks>An association stays when its base is removed, so that the bdev comes back with the base; only a delete ends it.</remarks>
public sealed class PassthruCollection
{
    // The name space of version 5 UUIDs that SPDK's passthru uses, so that the same base gives the same identity.
    private static readonly Guid UuidNamespace = new("7e25812e-c8c0-4d3f-8599-16d790555b85");

    private readonly IModuleContext _context;
    private readonly ILogger _log;
    private readonly List<Association> _associations = [];

    internal PassthruCollection(IModuleContext context)
    {
        _context = context;
        _log = context.Logging.CreateLogger("bdev-passthru");
    }

    /// <summary>Adds one; it comes up at once if its base is there.</summary>
    internal string Create(string baseName, string name, Guid uuid)
    {
        if (baseName.Length == 0) throw new SpindleException(Errno.EINVAL, "base_bdev_name is empty.");
        if (name.Length == 0) throw new SpindleException(Errno.EINVAL, "name is empty.");
        if (_associations.Exists(a => a.Name == name) || _context.Bdevs.Find(name) is not null)
            throw new SpindleException(Errno.EEXIST, $"Bdev name '{name}' is taken: choose another name.");
        var association = new Association(baseName, name, uuid);
        _associations.Add(association);
        try
        {
            if (!TryBringUp(association)) _log.LogInformation("{Name} waits for its base bdev {Base}", name, baseName);
        }
        catch
        {
            _associations.Remove(association);
            throw;
        }
        return name;
    }

    /// <summary>Ends one.</summary>
    internal async Task DeleteAsync(string name)
    {
        var association = _associations.Find(a => a.Name == name) ??
            (_context.Bdevs.Find(name) is PassthruBdev found ? _associations.Find(a => a.Bdev == found) : null) ??
            throw new SpindleException(Errno.ENODEV, $"There is no passthru bdev '{name}'.");
        // Forgotten first: it must not come up again when a base of that name appears while this one is on its way out.
        _associations.Remove(association);
        if (association.Bdev is { } bdev) await _context.Bdevs.UnregisterAsync(bdev);
    }

    /// <summary>A bdev appeared: brings up what waited for it.</summary>
    internal void OnNewBdev(Bdevs.Bdev bdev)
    {
        // By index: bringing one up registers a bdev, which is examined in turn.
        for (int i = 0; i < _associations.Count; i++)
        {
            var association = _associations[i];
            if (association.Bdev is not null || _context.Bdevs.Find(association.BaseName) != bdev) continue;
            try
            {
                TryBringUp(association);
            }
            catch (SpindleException e)
            {
                _log.LogError("{Name} could not be put on {Base}: {Reason}", association.Name, association.BaseName, e.Message);
            }
        }
    }

    /// <summary>Saves all of them; those that wait too.</summary>
    internal void WriteConfig(IConfigWriter writer)
    {
        foreach (var association in _associations)
        {
            writer.Call("bdev_passthru_create", w =>
            {
                w.Name("base_bdev_name");
                w.String(association.Bdev?.BaseName ?? association.BaseName);
                w.Name("name");
                w.String(association.Name);
                var uuid = association.Bdev?.Uuid ?? association.Uuid;
                if (uuid == Guid.Empty) return;
                w.Name("uuid");
                w.String(uuid.ToString());
            });
        }
    }

    private bool TryBringUp(Association association)
    {
        IBdevDescriptor descriptor;
        try
        {
            descriptor = _context.Bdevs.Open(association.BaseName, write: true, static (type, _, state) => ((Association)state!).OnBaseEvent(type), association);
        }
        catch (SpindleException e) when (e.Errno == Errno.ENODEV)
        {
            return false;
        }
        try
        {
            _context.Bdevs.Claim(descriptor, BdevClaimType.ExclusiveWrite);
            var uuid = association.Uuid != Guid.Empty ? association.Uuid : DerivedUuid(descriptor.Bdev.Uuid);
            var bdev = new PassthruBdev(association.Name, descriptor, uuid, () => association.Bdev = null);
            association.Bdev = bdev;
            association.OnEvent = (_, type) => OnBaseEvent(bdev, type);
            _context.Bdevs.Register(bdev);
        }
        catch
        {
            association.Bdev = null;
            descriptor.Close();
            throw;
        }
        return true;
    }

    /// <summary>Writes down all of them for another version of the module.</summary>
    internal void Export(UpgradeState state)
    {
        state.Set("count", _associations.Count);
        for (int i = 0; i < _associations.Count; i++)
        {
            var association = _associations[i];
            state.Set($"{i}.base", association.Bdev?.BaseName ?? association.BaseName);
            state.Set($"{i}.name", association.Name);
            state.Set($"{i}.uuid", association.Uuid);
            if (association.Bdev is { } bdev) state.Add(bdev).Set("descriptor", bdev.Descriptor);
        }
    }

    /// <summary>Takes over from another version of the module.</summary>
    internal void Import(UpgradeState state)
    {
        int count = state.Get<int>("count");
        for (int i = 0; i < count; i++)
        {
            var association = new Association(state.Get<string>($"{i}.base"), state.Get<string>($"{i}.name"), state.Get<Guid>($"{i}.uuid"));
            _associations.Add(association);
            if (state.Bdevs.FirstOrDefault(b => b.Name == association.Name) is not { } values) continue;
            var descriptor = values.Get<IBdevDescriptor>("descriptor");
            var bdev = new PassthruBdev(association.Name, descriptor, values.Uuid, () => association.Bdev = null);
            association.Bdev = bdev;
            association.OnEvent = (_, type) => OnBaseEvent(bdev, type);
            _context.Bdevs.Adopt(descriptor, static (type, _, state) => ((Association)state!).OnBaseEvent(type), association);
            values.Replacement = bdev;
        }
    }

    private void OnBaseEvent(PassthruBdev bdev, BdevEventType type)
    {
        switch (type)
        {
            case BdevEventType.Remove:
                _ = RemoveWithBaseAsync(bdev);
                break;
            case BdevEventType.MediaManagement:
                HandUpMediaEvents(bdev);
                break;
            case BdevEventType.Resize:
                try
                {
                    _context.Bdevs.Resize(bdev, bdev.Base.BlockCount);
                }
                catch (SpindleException e)
                {
                    _log.LogError("{Name} could not follow its base's new size: {Reason}", bdev.Name, e.Message);
                }
                break;
        }
    }

    private void HandUpMediaEvents(PassthruBdev bdev)
    {
        if (_context.Bdevs.Find(bdev.Name) != bdev) return;
        Span<BdevMediaEvent> taken = stackalloc BdevMediaEvent[16];
        for (int count; (count = bdev.Descriptor.TakeMediaEvents(taken)) > 0;)
            _context.Bdevs.NotifyMedia(bdev, [.. taken[..count].ToArray().Select(one => one.Within(0, bdev.BlockCount)).Where(one => one.NumBlocks > 0)]);
    }

    private async Task RemoveWithBaseAsync(PassthruBdev bdev)
    {
        try
        {
            await _context.Bdevs.UnregisterAsync(bdev);
        }
        catch (SpindleException e) when (e.Errno == Errno.ENODEV)
        {
            // It is being deleted already.
        }
        catch (SpindleException e)
        {
            _log.LogError("{Name} could not be removed with its base: {Reason}", bdev.Name, e.Message);
        }
    }

    /// <summary>A version 5 UUID (RFC 9562, 5.5) of the base's.</summary>
    internal static Guid DerivedUuid(Guid baseUuid)
    {
        Span<byte> text = stackalloc byte[32], hash = stackalloc byte[20];
        UuidNamespace.TryWriteBytes(text, bigEndian: true, out _);
        baseUuid.TryWriteBytes(text[16..], bigEndian: true, out _);
#pragma warning disable CA5350 // an identity, not a secret
        SHA1.HashData(text, hash);
#pragma warning restore CA5350
        hash[6] = (byte)(hash[6] & 0x0f | 0x50);
        hash[8] = (byte)(hash[8] & 0x3f | 0x80);
        return new Guid(hash[..16], bigEndian: true);
    }

    private sealed class Association(string baseName, string name, Guid uuid)
    {
        public string BaseName { get; } = baseName;
        public string Name { get; } = name;
        public Guid Uuid { get; } = uuid;
        public PassthruBdev? Bdev { get; set; }
        public Action<Association, BdevEventType>? OnEvent { get; set; }

        public void OnBaseEvent(BdevEventType type) => OnEvent?.Invoke(this, type);
    }
}
