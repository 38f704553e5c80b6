using Spindle.Bdevs;
using Spindle.Rpc;
using Spindle.Virtual;

namespace Spindle.Bdev.Error;

/// <summary>The parameters of <c>bdev_error_create</c>.</summary>
[RpcObject]
public sealed class ErrorCreateParameters
{
    /// <summary>The bdev below, which may appear later.</summary>
    [RpcMember(Required = true, Summary = "Base bdev name; it may appear later")]
    public string BaseName { get; set; } = "";

    /// <summary>Identity; derived from the base's when absent.</summary>
    [RpcMember(Summary = "UUID of the new bdev; derived from the base bdev's when absent")]
    public Guid? Uuid { get; set; }
}

/// <summary>The parameters of <c>bdev_error_delete</c>.</summary>
[RpcObject]
public sealed class ErrorDeleteParameters
{
    /// <summary>The bdev's name.</summary>
    [RpcMember(Required = true, Summary = "Error bdev name")]
    public string Name { get; set; } = "";
}

/// <summary>The types of I/O that an injection hits.</summary>
public enum ErrorIoType
{
    /// <summary>None: ends the injections of all types.</summary>
    Clear,
    /// <summary>Reads.</summary>
    Read,
    /// <summary>Writes.</summary>
    Write,
    /// <summary>Unmaps.</summary>
    Unmap,
    /// <summary>Flushes.</summary>
    Flush,
    /// <summary>Each of these, with a count of its own.</summary>
    All,
}

/// <summary>What an injection does, by SPDK's names.</summary>
public enum ErrorType
{
    /// <summary>Fails it.</summary>
    Failure,
    /// <summary>Holds it.</summary>
    Pending,
    /// <summary>Changes a byte of its data.</summary>
    CorruptData,
    /// <summary>Refuses it for lack of memory.</summary>
    [RpcMember("nomem")]
    NoMemory,
}

/// <summary>The parameters of <c>bdev_error_inject_error</c>.</summary>
[RpcObject]
public sealed class ErrorInjectParameters
{
    /// <summary>The bdev's name.</summary>
    [RpcMember(Required = true, Summary = "Name of the error bdev")]
    public string Name { get; set; } = "";

    /// <summary>Which I/O.</summary>
    [RpcMember(Required = true, Summary = "One of clear, read, write, unmap, flush, all")]
    public ErrorIoType IoType { get; set; }

    /// <summary>What happens to it.</summary>
    [RpcMember(Required = true, Summary = "One of failure, pending, corrupt_data, nomem")]
    public ErrorType ErrorType { get; set; }

    /// <summary>To how many; 4294967295: to all, until it is cleared.</summary>
    [RpcMember(Summary = "How many I/Os of each type; 1 when absent; 4294967295 for all, until it is cleared")]
    public uint Num { get; set; } = 1;

    /// <summary>The queue depth at which it starts.</summary>
    [RpcMember(Summary = "Only while the submitting thread has at least so many I/Os at the base")]
    public ulong QueueDepth { get; set; }

    /// <summary>The byte that is changed.</summary>
    [RpcMember(Summary = "For corrupt_data: the byte of the I/O's data that is changed")]
    public ulong CorruptOffset { get; set; }

    /// <summary>What it is xored with.</summary>
    [RpcMember(Summary = "For corrupt_data: what the byte is xored with, 1 to 255")]
    public byte CorruptValue { get; set; }

    /// <summary>The first block that is hit.</summary>
    [RpcMember(Summary = "Only I/O that touches a block from this one on; 0 when absent")]
    public ulong OffsetBlocks { get; set; }

    /// <summary>How many blocks are hit.</summary>
    [RpcMember(Summary = "Only I/O that touches one of so many blocks; all to the end when absent")]
    public ulong? NumBlocks { get; set; }
}

/// <summary>The parameters of <c>bdev_error_inject_media_event</c>.</summary>
[RpcObject]
public sealed class ErrorMediaParameters
{
    /// <summary>The bdev's name.</summary>
    [RpcMember(Required = true, Summary = "Name of the error bdev")]
    public string Name { get; set; } = "";

    /// <summary>The first block.</summary>
    [RpcMember(Required = true, Summary = "The first block that is to be written again elsewhere")]
    public ulong OffsetBlocks { get; set; }

    /// <summary>How many.</summary>
    [RpcMember(Summary = "How many blocks; 1 when absent")]
    public ulong NumBlocks { get; set; } = 1;
}

/// <summary>The module's RPC methods.</summary>
public sealed class ErrorRpc(VirtualBdevs<ErrorAssociation> errors, IBdevRegistry bdevs)
{
    /// <summary>Puts a bdev on another one, now or when that one appears: its name is the other's with <c>EE_</c> before it.</summary>
    /// <exception cref="SpindleException">EEXIST: there is one on it, or the name is taken. EPERM: the base is claimed. EINVAL: the name is empty.</exception>
    [RpcMethod("bdev_error_create", Summary = "Create a bdev, EE_ and the base's name, whose I/O can be made to fail.")]
    public bool Create(ErrorCreateParameters parameters)
    {
        if (parameters.BaseName.Length == 0) throw new SpindleException(Errno.EINVAL, "base_name is empty.");
        if (errors.All.Any(e => e.BaseName == parameters.BaseName))
            throw new SpindleException(Errno.EEXIST, $"There is an error bdev on '{parameters.BaseName}' already.");
        errors.Add(new ErrorAssociation(parameters.BaseName, parameters.Uuid ?? Guid.Empty));
        return true;
    }

    /// <summary>Deletes one, or forgets one that waits for its base. I/O that it holds ends as aborted.</summary>
    /// <exception cref="SpindleException">ENODEV: there is no such bdev.</exception>
    [RpcMethod("bdev_error_delete", Summary = "Delete an error bdev.")]
    public async Task<bool> DeleteAsync(ErrorDeleteParameters parameters)
    {
        await errors.DeleteAsync(Find(parameters.Name));
        return true;
    }

    /// <summary>Says what happens to the next I/Os of a type; the type's last injection ends.</summary>
    /// <exception cref="SpindleException">ENODEV: there is no such bdev. EINVAL: nothing would be changed by corrupt_value 0; the range has no block of the bdev.</exception>
    [RpcMethod("bdev_error_inject_error", Summary = "Make the next I/Os of an error bdev fail, hang or be corrupted.")]
    public bool InjectError(ErrorInjectParameters parameters)
    {
        if (parameters.ErrorType == ErrorType.CorruptData && parameters.CorruptValue == 0)
            throw new SpindleException(Errno.EINVAL, "corrupt_value is 0, which changes nothing: give 1 to 255.");
        var error = Find(parameters.Name);
        if (parameters.NumBlocks == 0) throw new SpindleException(Errno.EINVAL, "num_blocks is 0, which no I/O touches: give at least 1, or leave it out for all blocks.");
        if (error.Bdevs.Count == 0) throw new SpindleException(Errno.ENODEV, $"Error bdev '{parameters.Name}' still waits for its base.");
        if (parameters.OffsetBlocks >= error.Bdevs[0].BlockCount)
            throw new SpindleException(Errno.EINVAL, $"offset_blocks {parameters.OffsetBlocks} is beyond the {error.Bdevs[0].BlockCount} blocks of '{parameters.Name}'.");
        var range = new BlockRange(parameters.OffsetBlocks, parameters.NumBlocks ?? ulong.MaxValue);
        long count = parameters.Num == uint.MaxValue ? ErrorInjection.Always : parameters.Num;
        var kind = parameters.ErrorType switch
        {
            ErrorType.Failure => ErrorKind.Failure,
            ErrorType.Pending => ErrorKind.Pending,
            ErrorType.CorruptData => ErrorKind.CorruptData,
            _ => ErrorKind.NoMemory,
        };
        foreach (var type in Hit(parameters.IoType))
        {
            error.Injections.Set(type, parameters.IoType == ErrorIoType.Clear || parameters.Num == 0 ? null
                : new ErrorInjection(kind, count, parameters.QueueDepth, parameters.CorruptOffset, parameters.CorruptValue, range));
        }
        return true;
    }

    /// <summary>Tells those who write to the bdev that blocks should be written again elsewhere, as a medium does that wears out.</summary>
    /// <returns>False when nobody has it open for writing, or has no room for one more event.</returns>
    /// <exception cref="SpindleException">ENODEV: there is no such bdev. EINVAL: the range is not within it.</exception>
    [RpcMethod("bdev_error_inject_media_event", Summary = "Tell the writers of an error bdev that some of its blocks should be written again elsewhere; whether they were told.")]
    public bool InjectMediaEvent(ErrorMediaParameters parameters)
    {
        var error = Find(parameters.Name);
        if (error.Bdevs.Count == 0) throw new SpindleException(Errno.ENODEV, $"Error bdev '{parameters.Name}' still waits for its base.");
        return bdevs.NotifyMedia(error.Bdevs[0], [new BdevMediaEvent(parameters.OffsetBlocks, parameters.NumBlocks)]) == 1;
    }

    private static IReadOnlyList<BdevIoType> Hit(ErrorIoType type) => type switch
    {
        ErrorIoType.Read => [BdevIoType.Read],
        ErrorIoType.Write => [BdevIoType.Write],
        ErrorIoType.Unmap => [BdevIoType.Unmap],
        ErrorIoType.Flush => [BdevIoType.Flush],
        _ => ErrorInjections.Types,
    };

    private ErrorAssociation Find(string name) => errors.All.FirstOrDefault(e => e.Name == name) ??
        (bdevs.Find(name) is ErrorBdev bdev ? errors.All.FirstOrDefault(e => e.Bdevs.Contains(bdev)) : null) ??
        throw new SpindleException(Errno.ENODEV, $"There is no error bdev '{name}'.");
}
