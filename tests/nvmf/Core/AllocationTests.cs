using System.Runtime.InteropServices;
using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Memory;
using Spindle.Nvme.Commands;
using Spindle.NvmfTests.Core.Bench;
using Spindle.Threading;

namespace Spindle.NvmfTests.Core;

public class AllocationTests
{
    private const int Warmup = 20_000;
    private const int Measured = 100_000;

    [Theory]
    [Trait("Category", "Slow")]
    [InlineData(NvmOpcode.Read, 4096)]
    [InlineData(NvmOpcode.Write, 4096)]
    [InlineData(NvmOpcode.Flush, 0)]
    [InlineData(NvmOpcode.WriteZeroes, 0)]
    public async Task I_O_commands_allocate_nothing(NvmOpcode opcode, int bytes)
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        await bench.RunAsync(async () =>
        {
            bench.Bdevs.Register(new InstantBdev("Instant"));
            await bench.Target.Namespaces.AddAsync(bench.Target.FindSubsystem(CoreBench.Subsystem)!, new("Instant"));
        });
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        LoopRequest request = new(host.Io[0], opcode, bytes);
        host.Io[0].Group.Thread.Send(_ => request.Run(), null);
        Assert.Equal(0, await request.Allocated.WaitAsync(TimeSpan.FromSeconds(60)));
        Assert.Equal(Warmup + Measured, request.Count);
    }

    /// <summary>A bdev that does nothing at once.</summary>
    private sealed class InstantBdev(string name) : Bdev(name, "Instant disk", 512, 1 << 20)
    {
        public override bool Supports(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write or BdevIoType.Flush or BdevIoType.WriteZeroes;
        protected override IoChannel CreateChannel(IStorageThread thread) => new Channel();
        public override void Submit(IoChannel channel, BdevIo io) => io.Complete(io.Generation, BdevIoStatus.Success);

        private sealed class Channel : IoChannel;
    }

    /// <summary>A command that is sent again when it has ended.</summary>
    private sealed unsafe class LoopRequest : NvmfRequest
    {
        private readonly TaskCompletionSource<long> _allocated = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly SubmissionQueueEntry _command;
        private readonly IoVec _buffer;
        private long _before;

        public LoopRequest(FakeConnection connection, NvmOpcode opcode, int bytes) : base(connection, 1)
        {
            _command = FakeHost.Nvm(opcode, 1, 0, (uint)Math.Max(bytes / 512, 1));
            _command.Psdt = PrpOrSgl.SglMptrContiguous;
            _command.Sgl1 = SglDescriptor.TransportDataBlock((uint)bytes);
            _buffer = new IoVec(NativeMemory.AlignedAlloc((nuint)Math.Max(bytes, 1), 4096), (uint)bytes);
        }

        public int Count { get; private set; }

        public Task<long> Allocated => _allocated.Task;

        public void Run()
        {
            Command = _command;
            QueuePair.Arrive(this);
            ClearBuffers();
            if (_buffer.Length != 0) AddBuffer(in _buffer);
            Execute();
        }

        protected internal override void OnCompleted()
        {
            if (!Completion.Status.IsSuccess) _allocated.TrySetException(new InvalidOperationException(Completion.Status.ToString()));
            Count++;
            if (Count == Warmup) _before = GC.GetAllocatedBytesForCurrentThread();
            if (Count < Warmup + Measured) Run();
            else _allocated.TrySetResult(GC.GetAllocatedBytesForCurrentThread() - _before);
        }
    }
}
