using System.Text.Json;
using Newtonsoft.Json.Linq;
using Spindle.Host.Hosting;
using Spindle.Host.Manifests;
using Spindle.Host.Modules;
using Spindle.PluginTests.Support;
using Spindle.Rpc;
using Spindle.UnitTests.Modules;

namespace Spindle.PluginTests.Upgrades;

/// <summary>A new version that does not come up, at whatever step, leaves the old one serving.</summary>
public sealed class RollbackTests : IDisposable
{
    private readonly PluginFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private const string Members = """
        IModuleContext _context = null!;
        public override Task InitializeAsync(IModuleContext context, CancellationToken ct)
        {
            _context = context;
            //INITIALIZE
            if (!context.IsUpgrade) context.Bdevs.Register(new Ram("Ram0", new byte[4096 * 512]));
            return Task.CompletedTask;
        }
        public override ModuleUpgrade? Upgrade => UPGRADE;
        sealed class Hand(Entry entry) : ModuleUpgrade
        {
            public override int StateVersion => STATE;
            public override void Export(UpgradeState state)
            {
                //EXPORT
                foreach (var bdev in entry._context.Bdevs.All) if (bdev is Ram ram) state.Add(ram).Set("data", ram.Data);
            }
            public override void Import(UpgradeState state)
            {
                //IMPORT
                foreach (var bdev in state.Bdevs) bdev.Replacement = new Ram(bdev.Name, bdev.Get<byte[]>("data"));
            }
        }
        sealed class Ram(string name, byte[] data) : Bdev(name, "Ram disk", BLOCK, (ulong)data.Length / BLOCK)
        {
            public byte[] Data => data;
            public override bool Supports(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write;
            protected override IoChannel CreateChannel(IStorageThread thread)
            {
                //CHANNEL
                return new Channel();
            }
            public override void Submit(IoChannel channel, BdevIo io)
            {
                int at = (int)io.OffsetBlocks * BLOCK;
                foreach (ref readonly var v in io.Iovs)
                {
                    var here = data.AsSpan(at, (int)v.Length);
                    if (io.Type == BdevIoType.Read) here.CopyTo(v.Span); else v.Span.CopyTo(here);
                    at += (int)v.Length;
                }
                io.Complete(io.Generation, BdevIoStatus.Success);
            }
            sealed class Channel : IoChannel;
        }
        """;

    private void Add(string version, string? place = null, string code = "", string upgrade = "new Hand(this)", int state = 1, int block = 512, Action<JObject>? manifest = null)
    {
        var members = Members.Replace("UPGRADE", upgrade).Replace("STATE", $"{state}").Replace("BLOCK", $"{block}");
        if (place is not null) members = members.Replace($"//{place}", code);
        _folder.Add("bdev-ram", PluginFolder.BdevSource("bdev-ram", members), version: version, manifest: manifest);
    }

    private const string Throw = "if (DateTime.Now.Year > 2000) throw new InvalidOperationException(\"on purpose\");";

    [Theory]
    [InlineData("constructor")]
    [InlineData("initialize")]
    [InlineData("registers")]
    [InlineData("import")]
    [InlineData("forgets")]
    [InlineData("channel")]
    [InlineData("geometry")]
    [InlineData("no-upgrade")]
    [InlineData("older-state")]
    [InlineData("contract")]
    public async Task The_old_version_goes_on(string how)
    {
        Add("1.0.0", state: how == "older-state" ? 3 : 1);
        switch (how)
        {
            case "constructor": _folder.Add("bdev-ram", PluginFolder.BdevSource("bdev-ram", $"public Entry() {{ {Throw} }}"), version: "2.0.0"); break;
            case "initialize": Add("2.0.0", "INITIALIZE", Throw); break;
            case "registers": Add("2.0.0", "INITIALIZE", "context.Bdevs.Register(new Ram(\"Ram1\", new byte[512]));"); break;
            case "import": Add("2.0.0", "IMPORT", Throw); break;
            case "forgets": Add("2.0.0", "IMPORT", "if (DateTime.Now.Year > 2000) return;"); break;
            case "channel": Add("2.0.0", "CHANNEL", Throw); break;
            case "geometry": Add("2.0.0", block: 1024); break;
            case "no-upgrade": Add("2.0.0", upgrade: "null"); break;
            case "older-state": Add("2.0.0", state: 2); break;
            case "contract": Add("2.0.0", manifest: json => json["contract"] = "[9.0, 10.0)"); break;
        }
        var log = new LogList();
        await using var host = await SpindleHost.StartAsync(new SpindleHostOptions
        {
            ModuleFolders = [_folder.Root], Modules = [new AppModule("bdev-ram", Exactly("1.0.0"))], CoreCount = 2, Logging = log, Iobuf = new() { SmallPoolCount = 64, LargePoolCount = 8 },
        });
        await using var load = await Load.StartAsync(host, "Ram0", 32);
        for (int round = 0; round < 2; round++)
        {
            var error = await Assert.ThrowsAsync<RpcException>(() => host.CallAsync("module_upgrade", """{ "name": "bdev-ram", "version": "2.0.0" }"""));
            Assert.Equal(how switch
            {
                "constructor" => ModuleErrorCode.StartFailed,
                "contract" => ModuleErrorCode.ContractVersion,
                "no-upgrade" or "older-state" => ModuleErrorCode.NotUpgradable,
                _ => ModuleErrorCode.UpgradeFailed,
            }, (ModuleErrorCode)(-1000 - error.Code));
        }
        long seen = load.Completed;
        await Task.Delay(50);
        await load.StopAsync();
        Assert.True(load.Completed > seen, "I/O has stopped");
        Assert.Null(load.Problem);
        Assert.Equal("1.0.0", JsonDocument.Parse(await host.CallAsync("module_get_modules")).RootElement[0].GetProperty("version").GetString());
        // Nothing of the other version stays, and one that works takes over.
        Add("3.0.0", state: 3);
        if (how != "older-state") return;
        await host.CallAsync("module_upgrade", """{ "name": "bdev-ram", "version": "3.0.0" }""");
    }

    private static VersionRange Exactly(string text) => VersionRange.TryParse(text, out var range) ? range : throw new ArgumentException(text);
}
