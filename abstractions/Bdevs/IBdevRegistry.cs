namespace Spindle.Bdevs;

/// <summary>How a bdev is reserved for a module. The names on the wire are SPDK's.</summary>
public enum BdevClaimType
{
    /// <summary>Not claimed.</summary>
    None = 0,
    /// <summary>One writer; others may open it for reading (SPDK's first kind of claim, <c>exclusive_write</c>).</summary>
    ExclusiveWrite,
    /// <summary>One writer, the claiming descriptor; many readers (<c>read_many_write_one</c>).</summary>
    ReadManyWriteOne,
    /// <summary>Many readers with claims, no writer (<c>read_many_write_none</c>).</summary>
    ReadManyWriteNone,
    /// <summary>Many writers that share a key (<c>read_many_write_shared</c>).</summary>
    ReadManyWriteShared,
}

/// <summary>The bdevs of the process, as one module sees them. On the app thread, unless a member says otherwise.</summary>
public interface IBdevRegistry
{
    /// <summary>All registered bdevs in the order of registration.</summary>
    IReadOnlyList<Bdev> All { get; }

    /// <summary>Looks a bdev up by name, alias or UUID; null when there is none.</summary>
    Bdev? Find(string name);

    /// <summary>Makes a bdev known and has it examined by the modules. It may be opened when this returns.</summary>
    /// <exception cref="SpindleException">EEXIST: the name, an alias or the UUID is taken. EINVAL: the geometry is not valid, with the member named.</exception>
    void Register(Bdev bdev);

    /// <summary>Takes a bdev away: openers get <see cref="BdevEventType.Remove"/>; returns when they have closed it and it was destructed.</summary>
    /// <exception cref="SpindleException">ENODEV: it is not registered, or is being removed already.</exception>
    Task UnregisterAsync(Bdev bdev);

    /// <summary>Opens a bdev. On any storage thread.</summary>
    /// <exception cref="SpindleException">ENODEV: no such bdev. EPERM: write asked for, but it is claimed by another.</exception>
    IBdevDescriptor Open(string name, bool write, BdevEventCallback events, object? state = null);

    /// <summary>Opens a bdev, with more to say about it. On any storage thread.</summary>
    /// <param name="name">Name, alias or UUID.</param>
    /// <param name="options">How.</param>
    /// <param name="events">Told what happens to it.</param>
    /// <param name="state">Handed to <paramref name="events"/>.</param>
    /// <exception cref="SpindleException">ENODEV: no such bdev. EPERM: write asked for, but it is claimed by another. ENOTSUP: its metadata cannot be hidden, since a block, or what
    /// it must be written in at least, is larger than an I/O buffer.</exception>
    IBdevDescriptor Open(string name, BdevOpenOptions options, BdevEventCallback events, object? state = null) => options.HideMetadata
        ? throw new SpindleException(Errno.ENOTSUP, "This host cannot hide the metadata of a bdev.")
        : Open(name, options.Write, events, state);

    /// <summary>Reserves the descriptor's bdev for this module, so that nobody else writes to it. The claim ends with the descriptor or <see cref="Release"/>.</summary>
    /// <param name="descriptor">An open one; made writable by <see cref="BdevClaimType.ExclusiveWrite"/>, <see cref="BdevClaimType.ReadManyWriteOne"/> and <see cref="BdevClaimType.ReadManyWriteShared"/>.</param>
    /// <param name="type">The kind of claim.</param>
    /// <param name="name">For people: what claims it; empty for the module's name.</param>
    /// <param name="sharedKey">For <see cref="BdevClaimType.ReadManyWriteShared"/> only: not 0.</param>
    /// <exception cref="SpindleException">EPERM: another claim or writer stands against it. EINVAL: the key.</exception>
    void Claim(IBdevDescriptor descriptor, BdevClaimType type, string name = "", ulong sharedKey = 0);

    /// <summary>Ends the descriptor's claim.</summary>
    void Release(IBdevDescriptor descriptor);

    /// <summary>Adds a name.</summary>
    /// <exception cref="SpindleException">EEXIST.</exception>
    void AddAlias(Bdev bdev, string alias);

    /// <summary>Takes a name away.</summary>
    /// <exception cref="SpindleException">ENOENT.</exception>
    void RemoveAlias(Bdev bdev, string alias);

    /// <summary>Changes the size and tells the openers. Growing is always possible; shrinking only while nobody has it open.</summary>
    /// <exception cref="SpindleException">EBUSY: it would shrink while it is open.</exception>
    void Resize(Bdev bdev, ulong blockCount);

    /// <summary>Tells those who have a bdev open for writing that data should be written again elsewhere, since the medium wears out.</summary>
    /// <param name="bdev">The bdev, of this module.</param>
    /// <param name="events">Where. For each opener up to 64 wait; later ones are lost to it.</param>
    /// <returns>How many of the events every writer had room for; 0 when there is no writer.</returns>
    /// <exception cref="SpindleException">EINVAL: an event is not within the bdev. ENODEV: it is not registered.</exception>
    int NotifyMedia(Bdev bdev, IReadOnlyList<BdevMediaEvent> events) => 0;

    /// <summary>Takes over a descriptor that another version of this module opened: its events come to this one from the moment the upgrade is committed.</summary>
    /// <exception cref="SpindleException">EBADF: the descriptor is closed. EINVAL: no upgrade of this module is under way.</exception>
    void Adopt(IBdevDescriptor descriptor, BdevEventCallback events, object? state = null);

    /// <summary>Holds back all reads and writes of a bdev, whoever submits them: returns when none is under way; what comes waits until <see cref="UnquiesceAsync"/>.
    /// For the module that registered the bdev, or one that has a claim on it. Overlapping ones follow one another. A reset passes, and ends what waits as aborted;
    /// a removal ends it with ENODEV. Memory lent by <see cref="Bdev.TryLend"/> before is not waited for.</summary>
    /// <exception cref="SpindleException">EPERM: another module's bdev. ENODEV: it is not registered, or is being removed.</exception>
    Task QuiesceAsync(Bdev bdev) => Task.FromException(new SpindleException(Errno.ENOTSUP, "This host cannot quiesce a bdev."));

    /// <summary>Lets I/O go on that <see cref="QuiesceAsync"/> held back.</summary>
    /// <exception cref="SpindleException">EINVAL: it is not quiesced as a whole. EPERM: another module's bdev. ENODEV: it is not registered.</exception>
    Task UnquiesceAsync(Bdev bdev) => Task.FromException(new SpindleException(Errno.ENOTSUP, "This host cannot quiesce a bdev."));

    /// <summary>As <see cref="QuiesceAsync"/>, for I/O that touches a range of blocks.</summary>
    /// <param name="bdev">The bdev.</param>
    /// <param name="offsetBlocks">The first block.</param>
    /// <param name="numBlocks">Blocks, within the bdev.</param>
    /// <exception cref="SpindleException">EINVAL: the range. EPERM: another module's bdev. ENODEV: it is not registered, or is being removed.</exception>
    Task QuiesceRangeAsync(Bdev bdev, ulong offsetBlocks, ulong numBlocks) => Task.FromException(new SpindleException(Errno.ENOTSUP, "This host cannot quiesce a bdev."));

    /// <summary>Lets I/O go on that <see cref="QuiesceRangeAsync"/> of the very same range held back.</summary>
    /// <exception cref="SpindleException">EINVAL: this range is not quiesced. EPERM: another module's bdev. ENODEV: it is not registered.</exception>
    Task UnquiesceRangeAsync(Bdev bdev, ulong offsetBlocks, ulong numBlocks) => Task.FromException(new SpindleException(Errno.ENOTSUP, "This host cannot quiesce a bdev."));

    /// <summary>Returns when all examinations started so far have ended.</summary>
    Task WaitForExamineAsync();
}
