using System.Diagnostics;
using System.Runtime.InteropServices;
using Spindle.Memory;
using Spindle.Modules;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Fabrics;
using Spindle.Nvme.Identify;
using Spindle.Nvme.Initiator.Admin;
using Spindle.Nvme.Initiator.Tcp;
using Spindle.Nvme.Registers;
using Spindle.Perf;
using Spindle.Threading;

namespace Spindle.Tool.NvmePerf;

/// <summary>One pattern at one queue depth: connects a controller and its I/O queues, runs, disconnects.</summary>
internal sealed class NvmePerfRun(IModuleContext context, NvmePerfOptions options, PerfPattern pattern, int queueDepth)
{
    private static readonly Guid s_hostId = Guid.NewGuid();
    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(10);
    private readonly FabricsIdentity _identity = new(options.HostNqn, s_hostId, options.Nqn);
    private readonly List<(IStorageThread Thread, TcpQueue Queue)> _connections = [];
    private readonly List<IStorageThread> _threads = [];
    private readonly DmaBuffer _scratch = context.Memory.Allocate(4096);

    /// <summary>Runs it. On the app thread.</summary>
    /// <exception cref="SpindleException">It cannot run, or a command failed.</exception>
    public async Task<PerfResult> RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            var (cntlid, blocks, blockSize, inCapsule) = await ConnectAdminAsync(cancellationToken);
            var work = Plan(blocks, blockSize);
            for (int i = 0; i < options.Queues; i++) await ConnectQueueAsync(i, cntlid, inCapsule, cancellationToken);
            return await MeasureAsync(work, cancellationToken);
        }
        finally
        {
            foreach (var (thread, queue) in Enumerable.Reverse(_connections))
            {
                await thread.InvokeAsync(queue.CloseAsync);
                queue.Dispose();
            }
            foreach (var thread in Enumerable.Reverse(_threads)) await thread.ExitAsync();
            _scratch.Dispose();
        }
    }

    private NvmePerfWork[] Plan(ulong blocks, uint blockSize)
    {
        if (options.IoSize % blockSize != 0)
            throw new SpindleException(Errno.EINVAL, $"--io-size {options.IoSize} is not a multiple of the namespace's blocks, {blockSize} bytes.");
        uint ioBlocks = options.IoSize / blockSize;
        if (ioBlocks > 65536) throw new SpindleException(Errno.EINVAL, $"--io-size {options.IoSize} is more than the 65536 blocks of one command.");
        ulong ios = blocks / ioBlocks / (ulong)options.Queues;
        if (ios == 0) throw new SpindleException(Errno.EINVAL, $"The namespace is too small for {options.Queues} queues with I/Os of {options.IoSize} bytes.");
        return [.. Enumerable.Range(0, options.Queues).Select(i => new NvmePerfWork(options.Nsid, (ulong)i * ios * ioBlocks, ios, ioBlocks, options.IoSize,
            pattern.IsRandom, pattern.ReadPercent ?? options.Mix, options.Seed + (ulong)i))];
    }

    private async Task<TcpQueue> ConnectSocketAsync(string name, int core, int depth, CancellationToken cancellationToken)
    {
        var thread = context.Threads.CreateThread(name, core);
        _threads.Add(thread);
        TcpQueue queue = null!;
        var queueOptions = new TcpQueueOptions { Depth = depth, HeaderDigest = options.HeaderDigest, DataDigest = options.DataDigest, ReceiveBytes = 256 * 1024 };
        await thread.InvokeAsync(async () => queue = await TcpQueue.ConnectAsync(context.Io, context.Memory, options.Address, queueOptions, cancellationToken));
        _connections.Add((thread, queue));
        return queue;
    }

    private async Task<(ushort Cntlid, ulong Blocks, uint BlockSize, uint InCapsule)> ConnectAdminAsync(CancellationToken cancellationToken)
    {
        var admin = await ConnectSocketAsync("nvmeperf_admin", context.Threads.Cores[0], 31, cancellationToken);
        ushort cntlid = 0;
        ulong blocks = 0;
        uint blockSize = 0, inCapsule = 0;
        await admin.Thread.InvokeAsync(async () =>
        {
            var data = _scratch.Slice(0, NvmeConstants.IdentifyDataSize);
            cntlid = await admin.ConnectAsync(_identity, 0, NvmeConstants.DynamicControllerId, 0, data, s_timeout);
            var capabilities = new ControllerCapabilities(await admin.GetPropertyAsync(PropertyOffset.Cap, PropertySize.EightBytes, s_timeout));
            int entries = capabilities.Mqes + 1;
            if (queueDepth >= entries) throw new SpindleException(Errno.EINVAL, $"--qd {queueDepth}: the target's queues take up to {entries - 1} commands.");
            await admin.EnableAsync(capabilities, s_timeout);
            await admin.IdentifyAsync(IdentifyCns.Controller, 0, data, s_timeout);
            inCapsule = InCapsuleBytes(data.Span);
            await admin.IdentifyAsync(IdentifyCns.Namespace, options.Nsid, data, s_timeout);
            (blocks, blockSize) = Geometry(data.Span);
            int queues = await admin.SetQueueCountAsync(options.Queues, s_timeout);
            if (queues < options.Queues) throw new SpindleException(Errno.EINVAL, $"--queues {options.Queues}: the target gives {queues}.");
        });
        return (cntlid, blocks, blockSize, inCapsule);
    }

    private static uint InCapsuleBytes(ReadOnlySpan<byte> data)
    {
        // IOCCSZ is in units of 16 bytes and includes the 64-byte command.
        ulong bytes = (ulong)MemoryMarshal.Read<IdentifyController>(data).Ioccsz * 16;
        return bytes > 64 ? (uint)Math.Min(bytes - 64, 1 << 20) : 0;
    }

    private (ulong Blocks, uint BlockSize) Geometry(ReadOnlySpan<byte> data)
    {
        // NSZE, FLBAS and LBAF (NVM Command Set Specification 1.0, figure 97).
        ulong blocks = BitConverter.ToUInt64(data);
        if (blocks == 0) throw new SpindleException(Errno.ENODEV, $"The subsystem has no namespace {options.Nsid}.");
        int format = data[26] & 0xf | (data[26] & 0x60) >> 1;
        int metadata = BitConverter.ToUInt16(data[(128 + format * 4)..]);
        int shift = data[128 + format * 4 + 2];
        if (metadata != 0 || shift is < 9 or > 16) throw new SpindleException(Errno.ENOTSUP, "This tool does not measure namespaces with metadata.");
        return (blocks, 1u << shift);
    }

    private async Task ConnectQueueAsync(int index, ushort cntlid, uint inCapsule, CancellationToken cancellationToken)
    {
        var cores = context.Threads.Cores;
        var queue = await ConnectSocketAsync($"nvmeperf_{index}", cores[(index + 1) % cores.Count], queueDepth, cancellationToken);
        await queue.Thread.InvokeAsync(() => queue.ConnectAsync(_identity, (ushort)(index + 1), cntlid, 0, _scratch.Slice(0, 4096), s_timeout));
        queue.InCapsuleBytes = inCapsule;
    }

    private async Task<PerfResult> MeasureAsync(NvmePerfWork[] work, CancellationToken cancellationToken)
    {
        long from = Stopwatch.GetTimestamp() + (long)(options.Warmup.TotalSeconds * Stopwatch.Frequency);
        long until = from + (long)(options.Time.TotalSeconds * Stopwatch.Frequency);
        var queues = _connections.Skip(1).ToArray();
        var workers = queues.Select((queue, i) => new NvmePerfWorker(queue.Queue, context.Memory, work[i], from, until)).ToArray();
        await using var stop = cancellationToken.Register(() => Array.ForEach(workers, worker => worker.Stop()));
        var running = Task.WhenAll(workers.Select((worker, i) => queues[i].Thread.InvokeAsync(() => worker.RunAsync(queueDepth))));
        var measuring = PerfUsage.MeasureAsync(from, until, running);
        await running;
        var usage = await measuring;
        var latencies = new LatencyHistogram();
        foreach (var worker in workers)
        {
            worker.Dispose();
            if (worker.Failure is { } failure) throw new SpindleException(Errno.EIO, failure);
            latencies.Add(worker.Latencies);
        }
        return new PerfResult(options.Address.ToString(), pattern.Name, options.IoSize, queueDepth, options.Queues, workers.Max(w => w.Seconds), latencies,
            usage.CpuPercent, usage.Collections, workers.Sum(w => w.AllocatedBytes));
    }
}
