using System.Diagnostics;
using System.Runtime.InteropServices;
using Spindle.Modules;
using Spindle.Nvme.Identify;
using Spindle.Nvme.Registers;
using Spindle.Perf;
using Spindle.Threading;
using Spindle.Tool.NvmePerf.Initiator;

namespace Spindle.Tool.NvmePerf;

/// <summary>One pattern at one queue depth: connects a controller and its I/O queues, runs, disconnects.</summary>
internal sealed class NvmePerfRun(IModuleContext context, NvmePerfOptions options, PerfPattern pattern, int queueDepth)
{
    private static readonly Guid s_hostId = Guid.NewGuid();
    private readonly List<(IStorageThread Thread, InitiatorConnection Connection)> _connections = [];

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
            foreach (var (thread, connection) in Enumerable.Reverse(_connections))
            {
                await thread.InvokeAsync(connection.CloseAsync);
                connection.Dispose();
                await thread.ExitAsync();
            }
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

    private async Task<InitiatorConnection> ConnectSocketAsync(string name, int core, int depth, uint dataBytes, CancellationToken cancellationToken)
    {
        var socket = await context.Io.ConnectAsync(options.Address, cancellationToken);
        var thread = context.Threads.CreateThread(name, core);
        var connection = new InitiatorConnection(context, thread, socket, depth, dataBytes);
        _connections.Add((thread, connection));
        await thread.InvokeAsync(() => connection.InitializeAsync(options.HeaderDigest, options.DataDigest));
        return connection;
    }

    private async Task<(ushort Cntlid, ulong Blocks, uint BlockSize, uint InCapsule)> ConnectAdminAsync(CancellationToken cancellationToken)
    {
        var connection = await ConnectSocketAsync("nvmeperf_admin", context.Threads.Cores[0], 32, 8192, cancellationToken);
        ushort cntlid = 0;
        ulong blocks = 0;
        uint blockSize = 0, inCapsule = 0;
        await _connections[0].Thread.InvokeAsync(async () =>
        {
            cntlid = await InitiatorCommands.ConnectAsync(connection, options.HostNqn, s_hostId, options.Nqn, 0, 0xffff, 31);
            int entries = new ControllerCapabilities(await InitiatorCommands.GetPropertyAsync(connection, PropertyOffset.Cap, true)).Mqes + 1;
            if (queueDepth >= entries) throw new SpindleException(Errno.EINVAL, $"--qd {queueDepth}: the target's queues take up to {entries - 1} commands.");
            await InitiatorCommands.EnableAsync(connection);
            await InitiatorCommands.IdentifyAsync(connection, 1, 0);
            inCapsule = InCapsuleBytes(connection.Slots[0].Data.Span);
            await InitiatorCommands.IdentifyAsync(connection, 0, options.Nsid);
            (blocks, blockSize) = Geometry(connection.Slots[0].Data.Span);
            int queues = await InitiatorCommands.SetQueueCountAsync(connection, options.Queues);
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
        var connection = await ConnectSocketAsync($"nvmeperf_{index}", cores[(index + 1) % cores.Count], queueDepth + 1, Math.Max(options.IoSize, 4096), cancellationToken);
        await _connections[^1].Thread.InvokeAsync(() =>
            InitiatorCommands.ConnectAsync(connection, options.HostNqn, s_hostId, options.Nqn, (ushort)(index + 1), cntlid, queueDepth));
        connection.InCapsuleBytes = inCapsule;
    }

    private async Task<PerfResult> MeasureAsync(NvmePerfWork[] work, CancellationToken cancellationToken)
    {
        long from = Stopwatch.GetTimestamp() + (long)(options.Warmup.TotalSeconds * Stopwatch.Frequency);
        long until = from + (long)(options.Time.TotalSeconds * Stopwatch.Frequency);
        var queues = _connections.Skip(1).ToArray();
        var workers = queues.Select((queue, i) => new NvmePerfWorker(queue.Connection, work[i], from, until)).ToArray();
        await using var stop = cancellationToken.Register(() => Array.ForEach(workers, worker => worker.Stop()));
        var running = Task.WhenAll(workers.Select((worker, i) => queues[i].Thread.InvokeAsync(() => worker.RunAsync(queueDepth))));
        var measuring = PerfUsage.MeasureAsync(from, until, running);
        await running;
        var usage = await measuring;
        var latencies = new LatencyHistogram();
        foreach (var worker in workers)
        {
            if (worker.Failure is { } failure) throw new SpindleException(Errno.EIO, failure);
            latencies.Add(worker.Latencies);
        }
        return new PerfResult(options.Address.ToString(), pattern.Name, options.IoSize, queueDepth, options.Queues, workers.Max(w => w.Seconds), latencies,
            usage.CpuPercent, usage.Collections, workers.Sum(w => w.AllocatedBytes));
    }
}
