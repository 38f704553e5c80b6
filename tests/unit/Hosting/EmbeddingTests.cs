using Spindle.Bdevs;
using Spindle.Host.Hosting;
using Spindle.Memory;
using Spindle.UnitTests.Modules;

namespace Spindle.UnitTests.Hosting;

/// <summary>A program with a host inside: no control socket, a bdev of its own plugin, I/O.</summary>
public sealed class EmbeddingTests : IDisposable
{
    private readonly PluginFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>A bdev in a byte array.</summary>
    private const string RamDisk = """
        using System; using System.Threading; using System.Threading.Tasks; using Spindle.Bdevs; using Spindle.Modules; using Spindle.Rpc; using Spindle.Threading;
        namespace Fixture;
        public sealed class Entry : BdevModule
        {
            public override string Name => "bdev-ram";
            public override Task InitializeAsync(IModuleContext context, CancellationToken ct) { context.Bdevs.Register(new Ram("Ram0", 64)); return Task.CompletedTask; }
        }
        public sealed class Ram(string name, ulong blocks) : Bdev(name, "Ram disk", 512, blocks)
        {
            readonly byte[] _data = new byte[blocks * 512];
            public override bool Supports(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write or BdevIoType.Reset;
            protected override IoChannel CreateChannel(IStorageThread thread) => new Channel();
            public override void Submit(IoChannel channel, BdevIo io)
            {
                int at = (int)io.OffsetBlocks * 512;
                foreach (ref readonly var v in io.Iovs)
                {
                    var here = _data.AsSpan(at, (int)v.Length);
                    if (io.Type == BdevIoType.Read) here.CopyTo(v.Span);
                    else if (io.Type == BdevIoType.Write) v.Span.CopyTo(here);
                    at += (int)v.Length;
                }
                io.Complete(io.Generation, BdevIoStatus.Success);
            }
            sealed class Channel : IoChannel;
        }
        [RpcObject] public sealed class RamParameters { [RpcMember(Required = true)] public string Name { get; set; } = ""; }
        public sealed class Methods(IBdevRegistry bdevs)
        {
            [RpcMethod("ram_create")] public string Create(RamParameters p) { bdevs.Register(new Ram(p.Name, 8)); return p.Name; }
        }
        """;

    private SpindleHostOptions Options(bool portable = false) => new()
    {
        ModuleFolders = [_folder.Root], Modules = [new("bdev-ram")], Portable = portable,
        Iobuf = new() { SmallPoolCount = 256, LargePoolCount = 32 },
    };

    [Fact]
    public async Task A_program_opens_a_bdev_and_does_io_in_its_own_process()
    {
        _folder.Add("bdev-ram", RamDisk);
        await using var host = await SpindleHost.StartAsync(Options(), TestContext.Current.CancellationToken);
        Assert.Null(host.RpcSocket);
        using var memory = host.Memory.Allocate(8192);
        var written = Fill(memory, 0, 1024);

        await host.InvokeAsync(async () =>
        {
            var disk = host.Bdevs.Open("Ram0", write: true, static (_, _, _) => { });
            var channel = disk.GetChannel();
            await IoAsync(callback => channel.Write([memory.Slice(0, 1024)], 3, 2, callback.Item1, callback.Item2));
            await IoAsync(callback => channel.Read([memory.Slice(4096, 1024)], 3, 2, callback.Item1, callback.Item2));
            channel.Put();
            disk.Close();
        });
        Assert.Equal(written, memory.Slice(4096, 1024).Span.ToArray());
        Assert.True(await host.StopAsync());
    }

    [Fact]
    public async Task Rpc_works_without_a_socket()
    {
        _folder.Add("bdev-ram", RamDisk);
        await using var host = await SpindleHost.StartAsync(Options(), TestContext.Current.CancellationToken);
        Assert.Equal("\"Ram7\"", await host.CallAsync("ram_create", """{ "name": "Ram7" }"""));
        Assert.Equal(["Ram0", "Ram7"], host.Bdevs.All.Select(bdev => bdev.Name));
    }

    [Fact]
    public async Task Two_hosts_live_in_one_process_and_end_apart()
    {
        _folder.Add("bdev-ram", RamDisk);
        await using var one = await SpindleHost.StartAsync(Options(), TestContext.Current.CancellationToken);
        await using var two = await SpindleHost.StartAsync(Options(), TestContext.Current.CancellationToken);
        Assert.True(await one.StopAsync());
        Assert.NotNull(two.Bdevs.Find("Ram0"));
    }

    [Fact]
    [Trait("Category", "Slow")]
    public async Task A_module_loaded_used_for_io_and_unloaded_100_times_leaves_no_context_alive()
    {
        var manifest = _folder.Add("bdev-ram", RamDisk);
        await using var host = await SpindleHost.StartAsync(Options() with { Modules = [] }, TestContext.Current.CancellationToken);
        using var memory = host.Memory.Allocate(4096);
        for (int i = 0; i < 100; i++)
        {
            await host.Modules.StartAsync(await host.Modules.LoadAsync(manifest), TestContext.Current.CancellationToken);
            host.Modules.PrepareMethods();
            Assert.Equal($"\"R{i}\"", await host.CallAsync("ram_create", $$"""{ "name": "R{{i}}" }"""));
            await host.InvokeAsync(() => ReadOnceAsync(host.Bdevs, $"R{i}", memory.Slice(0, 512)));
            Assert.True(await host.Modules.UnloadAsync("bdev-ram", TestContext.Current.CancellationToken), $"round {i}: the context is alive");
            Assert.Empty(host.Bdevs.All);
        }
        Assert.DoesNotContain(AppDomain.CurrentDomain.GetAssemblies(), assembly => assembly.Location == manifest.AssemblyPath);
    }

    private static async Task ReadOnceAsync(IBdevRegistry bdevs, string name, IoVec buffer)
    {
        var disk = bdevs.Open(name, write: false, static (_, _, _) => { });
        var channel = disk.GetChannel();
        await IoAsync(callback => channel.Read([buffer], 0, 1, callback.Item1, callback.Item2));
        channel.Put();
        disk.Close();
    }

    private static async Task IoAsync(Func<(BdevIoCallback, object), int> submit)
    {
        var done = new TaskCompletionSource<BdevIoStatus>(TaskCreationOptions.RunContinuationsAsynchronously);
        Assert.Equal(0, submit((static (object? state, in BdevIoResult result) => ((TaskCompletionSource<BdevIoStatus>)state!).SetResult(result.Status), done)));
        Assert.Equal(BdevIoStatus.Success, await done.Task);
    }

    private static byte[] Fill(DmaBuffer memory, nuint offset, uint length)
    {
        new Random(1).NextBytes(memory.Slice(offset, length).Span);
        return memory.Slice(offset, length).Span.ToArray();
    }
}
