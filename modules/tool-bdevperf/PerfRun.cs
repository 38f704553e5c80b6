using System.Diagnostics;
using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Modules;
using Spindle.Perf;
using Spindle.Threading;

namespace Spindle.Tool.Bdevperf;

/// <summary>One bdev, one pattern, one queue depth.</summary>
internal sealed class PerfRun(IModuleContext context, PerfOptions options, string bdevName, PerfPattern pattern, int queueDepth)
{
    /// <summary>Runs it on storage threads of its own. On the app thread.</summary>
    /// <exception cref="SpindleException">It cannot run, or an I/O failed.</exception>
    public async Task<PerfResult> RunAsync(CancellationToken cancellationToken)
    {
        var bdev = context.Bdevs.Find(bdevName) ?? throw new SpindleException(Errno.ENODEV,
            $"There is no bdev '{bdevName}'; there are: {string.Join(", ", context.Bdevs.All.Select(b => b.Name))}.");
        Check(bdev);
        var cores = context.Threads.Cores;
        var threads = new List<IStorageThread>();
        var workers = new List<PerfWorker>();
        var buffers = new List<DmaBuffer>();
        try
        {
            for (int i = 0; i < options.Threads; i++)
            {
                workers.Add(MakeWorker(bdev, i, buffers));
                // The app thread's core comes last: it also runs the control plane.
                threads.Add(context.Threads.CreateThread($"bdevperf_{i}", cores[(i + 1) % cores.Count]));
            }
            long start = Stopwatch.GetTimestamp() + Stopwatch.Frequency / 100;
            long from = start + (long)(options.Warmup.TotalSeconds * Stopwatch.Frequency);
            long until = from + (long)(options.Time.TotalSeconds * Stopwatch.Frequency);
            using var stop = cancellationToken.Register(() => workers.ForEach(worker => worker.Stop()));
            var running = Task.WhenAll(workers.Select((worker, i) => threads[i].InvokeAsync(() => DriveAsync(worker, from, until))));
            // On the thread pool: with one core the app thread shares the reactor whose allocations are counted.
            var measuring = Task.Run(() => PerfUsage.MeasureAsync(from, until, running), CancellationToken.None);
            await running;
            var usage = await measuring;
            var latencies = new LatencyHistogram();
            foreach (var worker in workers)
            {
                if (worker.Failure is { } failure) throw new SpindleException(Errno.EIO, failure);
                latencies.Add(worker.Latencies);
            }
            return new PerfResult(bdevName, options.Verify ? pattern.Name + "+verify" : pattern.Name, options.IoSize, queueDepth, options.Threads,
                workers.Max(worker => worker.Seconds), latencies, usage.CpuPercent, usage.Collections, workers.Sum(worker => worker.AllocatedBytes));
        }
        finally
        {
            foreach (var thread in threads) await thread.ExitAsync();
            buffers.ForEach(buffer => buffer.Dispose());
        }
    }

    private void Check(Bdevs.Bdev bdev)
    {
        if (options.IoSize % BlockSize(bdev) != 0)
            throw new SpindleException(Errno.EINVAL, $"--io-size {options.IoSize} is not a multiple of the blocks of '{bdevName}', {BlockSize(bdev)} bytes.");
        if (bdev.DifType != DifType.None && bdev.MetadataInterleaved && !options.HideMetadata)
            throw new SpindleException(Errno.EINVAL, $"'{bdevName}' wants protection information in the data, which this tool does not make; have it made by --hide-metadata.");
        ulong ios = bdev.BlockCount / (options.IoSize / BlockSize(bdev)) / (ulong)options.Threads;
        ulong needed = options.Verify ? (ulong)queueDepth : 1;
        if (ios < needed)
            throw new SpindleException(Errno.EINVAL, $"'{bdevName}' is too small: {options.Threads} threads need room for {needed} I/Os of {options.IoSize} bytes each.");
    }

    private uint BlockSize(Bdevs.Bdev bdev) => options.HideMetadata && bdev.MetadataInterleaved ? bdev.BlockSize - bdev.MetadataSize : bdev.BlockSize;

    private PerfWorker MakeWorker(Bdevs.Bdev bdev, int index, List<DmaBuffer> buffers)
    {
        uint ioBlocks = options.IoSize / BlockSize(bdev);
        ulong ios = bdev.BlockCount / ioBlocks / (ulong)options.Threads;
        var own = new DmaBuffer[queueDepth];
        for (int i = 0; i < queueDepth; i++) buffers.Add(own[i] = context.Memory.Allocate(options.IoSize, Math.Max(4096, bdev.RequiredAlignment)));
        var work = new PerfWork((ulong)index * ios * ioBlocks, ios, ioBlocks, queueDepth, pattern.IsRandom, pattern.ReadPercent ?? options.Mix,
            options.Verify, options.Seed + (ulong)index);
        return new PerfWorker(work, own, options.IoSize);
    }

    private async Task DriveAsync(PerfWorker worker, long from, long until)
    {
        bool writes = options.Verify || worker.Work.ReadPercent < 100;
        var descriptor = context.Bdevs.Open(bdevName, new BdevOpenOptions { Write = writes, HideMetadata = options.HideMetadata }, (type, _, _) =>
        {
            if (type == BdevEventType.Remove) worker.Stop();
        });
        try
        {
            var channel = descriptor.GetChannel();
            await worker.Start(channel, from, until);
            channel.Put();
        }
        finally
        {
            descriptor.Close();
        }
    }
}
