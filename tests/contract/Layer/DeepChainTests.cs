using Spindle.Bdevs;
using Spindle.ContractTests.Harness;
using Spindle.ContractTests.Suite;
using Spindle.Memory;

namespace Spindle.ContractTests.Layer;

/// <summary>Completions inside submit, at the bottom of a deep stack of bdevs: neither the depth nor the number of I/Os grows the thread's stack.</summary>
public sealed class DeepChainTests(ContractHost host) : BdevTest(host)
{
    [Theory]
    [InlineData(0)]
    [InlineData(8)]
    [InlineData(64)]
    public async Task An_endless_chain_of_ios_does_not_grow_the_stack(int layers)
    {
        var subject = await Subjects.MallocAsync(Host, new() { NumBlocks = 1024, BlockSize = 512 });
        subject = await Subjects.PassthruAsync(Host, subject, layers);
        foreach (string below in subject.Below) Track(below);
        Track(subject.Name);
        var client = await OpenAsync(subject.Name);
        using var buffer = new TestBuffer(512);
        var chain = new Chain(client, buffer.Vectors[0], ios: layers == 64 ? 20_000 : 100_000);
        await client.OnThreadAsync(chain.Submit);
        await chain.Done.Task.WaitAsync(TimeSpan.FromSeconds(60), Cancel);
        Assert.Null(chain.Failure);
        Assert.True(chain.StackUsed < 256 * 1024, $"the callbacks lay {chain.StackUsed} bytes apart on the stack");
    }

    private sealed unsafe class Chain(BdevClient client, IoVec buffer, int ios)
    {
        private int _left = ios;
        private nuint _lowest = nuint.MaxValue, _highest;

        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
        public string? Failure { get; private set; }
        public nuint StackUsed => _highest - _lowest;

        public void Submit()
        {
            int error = client.Channel.Read([buffer], (ulong)(_left % 1024), 1, OnDone, this);
            if (error == 0) return;
            Failure = $"refused: {error}";
            Done.TrySetResult();
        }

        private static void OnDone(object? state, in BdevIoResult result)
        {
            var self = (Chain)state!;
            byte here = 0;
            self._lowest = Math.Min(self._lowest, (nuint)(&here));
            self._highest = Math.Max(self._highest, (nuint)(&here));
            if (!result.IsSuccess) self.Failure = result.Status.ToString();
            if (--self._left > 0 && self.Failure is null) self.Submit();
            else self.Done.TrySetResult();
        }
    }
}
