using System.Runtime.InteropServices;
using Spindle.Nvme.Commands;

namespace Spindle.NvmfTests.Initiator;

/// <summary>A namespace seen through one I/O queue. Lengths are in bytes of whole blocks; a status other than success throws <see cref="NvmeStatusException"/>.</summary>
public sealed class NamespaceIo(NvmeTcpQueue queue, uint nsid, int blockSize)
{
    public NvmeTcpQueue Queue { get; } = queue;
    public uint Nsid { get; } = nsid;
    public int BlockSize { get; } = blockSize;

    public static async Task<NamespaceIo> OpenAsync(NvmeTcpController controller, uint nsid, NvmeTcpQueue? queue = null)
    {
        Spindle.Nvme.Identify.IdentifyNamespace identify = await controller.IdentifyNamespaceAsync(nsid);
        return new NamespaceIo(queue ?? controller.Io, nsid, 1 << identify.Lbaf[identify.FormatIndex].Lbads);
    }

    public async Task<byte[]> ReadAsync(ulong slba, uint blocks)
    {
        byte[] data = new byte[blocks * BlockSize];
        await Queue.ExecuteAsync($"Read of {blocks} at {slba}", NvmeCommands.Io(NvmOpcode.Read, Nsid, slba, blocks), dataIn: data);
        return data;
    }

    public Task WriteAsync(ulong slba, ReadOnlyMemory<byte> data, NvmIoFlags flags = NvmIoFlags.None) =>
        Queue.ExecuteAsync($"Write of {data.Length} bytes at {slba}", NvmeCommands.Io(NvmOpcode.Write, Nsid, slba, Blocks(data), flags), data);

    /// <summary>Writes by R2T whatever the length.</summary>
    public async Task WriteByR2TAsync(ulong slba, ReadOnlyMemory<byte> data)
    {
        CompletionQueueEntry cqe = await Queue.SubmitAsync(NvmeCommands.Io(NvmOpcode.Write, Nsid, slba, Blocks(data)), data, noInCapsule: true);
        if (!cqe.Status.IsSuccess)
        {
            throw new NvmeStatusException($"Write of {data.Length} bytes at {slba} by R2T", cqe);
        }
    }

    /// <summary>Compares; false on a Compare Failure.</summary>
    public async Task<bool> CompareAsync(ulong slba, ReadOnlyMemory<byte> data)
    {
        CompletionQueueEntry cqe = await Queue.SubmitAsync(NvmeCommands.Io(NvmOpcode.Compare, Nsid, slba, Blocks(data)), data);
        return cqe.Status.IsSuccess || (cqe.Status.Is(MediaStatusCode.CompareFailure) ? false : throw new NvmeStatusException("Compare", cqe));
    }

    public Task<(CompletionQueueEntry Compare, CompletionQueueEntry Write)> CompareAndWriteAsync(ulong slba, ReadOnlyMemory<byte> compare, ReadOnlyMemory<byte> write, bool noInCapsule = false) =>
        Queue.SubmitFusedAsync(NvmeCommands.Io(NvmOpcode.Compare, Nsid, slba, Blocks(compare)), compare, NvmeCommands.Io(NvmOpcode.Write, Nsid, slba, Blocks(write)), write, noInCapsule);

    public Task WriteZeroesAsync(ulong slba, uint blocks, NvmIoFlags flags = NvmIoFlags.None) =>
        Queue.ExecuteAsync("Write Zeroes", NvmeCommands.Io(NvmOpcode.WriteZeroes, Nsid, slba, blocks, flags));

    public Task DeallocateAsync(params DatasetManagementRange[] ranges) =>
        Queue.ExecuteAsync("Dataset Management", NvmeCommands.DatasetManagement(Nsid, ranges.Length, DatasetManagementAttributes.Deallocate), MemoryMarshal.AsBytes<DatasetManagementRange>(ranges).ToArray());

    public Task FlushAsync() => Queue.ExecuteAsync("Flush", NvmeCommands.Flush(Nsid));

    private uint Blocks(ReadOnlyMemory<byte> data) => (uint)(data.Length / BlockSize);
}
