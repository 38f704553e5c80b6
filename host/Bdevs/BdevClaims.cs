using Spindle.Bdevs;

namespace Spindle.Host.Bdevs;

/// <summary>The claims on one bdev and the rule of who may open it for writing. Guarded by the entry's descriptor lock.</summary>
internal sealed class BdevClaims
{
    private readonly List<(BdevDescriptor Descriptor, string Name, string Module)> _holders = [];
    private ulong _sharedKey;

    internal BdevClaimType Type { get; private set; }

    /// <summary>Who holds it, for people: the first holder's name.</summary>
    internal string HolderName => _holders.Count == 0 ? "" : _holders[0].Name;

    /// <summary>The modules that hold it.</summary>
    internal IReadOnlyList<(BdevDescriptor Descriptor, string Name, string Module)> Holders => _holders;

    internal static string WireName(BdevClaimType type) => type switch
    {
        BdevClaimType.ExclusiveWrite => "exclusive_write",
        BdevClaimType.ReadManyWriteOne => "read_many_write_one",
        BdevClaimType.ReadManyWriteNone => "read_many_write_none",
        BdevClaimType.ReadManyWriteShared => "read_many_write_shared",
        _ => "not_claimed",
    };

    /// <summary>Whether a new open for writing is allowed.</summary>
    internal bool AllowsWriter => Type == BdevClaimType.None;

    internal void Add(BdevDescriptor descriptor, IEnumerable<BdevDescriptor> open, BdevClaimType type, string name, string module, ulong sharedKey)
    {
        string bdev = descriptor.Bdev.Name;
        if (type == BdevClaimType.None) throw new SpindleException(Errno.EINVAL, "A claim needs a type.");
        if ((sharedKey != 0) != (type == BdevClaimType.ReadManyWriteShared))
            throw new SpindleException(Errno.EINVAL, "A shared key is needed for read_many_write_shared, and for no other claim.");
        if (_holders.Exists(h => ReferenceEquals(h.Descriptor, descriptor)))
            throw new SpindleException(Errno.EPERM, $"This open of bdev '{bdev}' holds a claim already.");
        bool joins = Type == type && type is BdevClaimType.ReadManyWriteNone or BdevClaimType.ReadManyWriteShared;
        if (Type != BdevClaimType.None && !joins)
            throw new SpindleException(Errno.EPERM, $"Bdev '{bdev}' is claimed by {HolderName} ({WireName(Type)}).");
        if (joins && type == BdevClaimType.ReadManyWriteShared && sharedKey != _sharedKey)
            throw new SpindleException(Errno.EPERM, $"Bdev '{bdev}' is claimed by {HolderName} with another shared key.");
        if (type == BdevClaimType.ReadManyWriteNone && descriptor.IsWritable)
            throw new SpindleException(Errno.EINVAL, $"A read_many_write_none claim on bdev '{bdev}' needs a descriptor opened for reading only.");
        bool otherWriter = open.Any(d => d.IsWritable && !ReferenceEquals(d, descriptor) && !_holders.Exists(h => ReferenceEquals(h.Descriptor, d)));
        if (otherWriter) throw new SpindleException(Errno.EPERM, $"Bdev '{bdev}' is open for writing by someone else.");
        Type = type;
        _sharedKey = sharedKey;
        _holders.Add((descriptor, name, module));
        if (type != BdevClaimType.ReadManyWriteNone) descriptor.MakeWritable();
    }

    internal void Remove(BdevDescriptor descriptor)
    {
        _holders.RemoveAll(h => ReferenceEquals(h.Descriptor, descriptor));
        if (_holders.Count > 0) return;
        Type = BdevClaimType.None;
        _sharedKey = 0;
    }
}
