using System.Security.Cryptography;
using Microsoft.CodeAnalysis;
using Newtonsoft.Json.Linq;
using Spindle.Host.Modules;

namespace Spindle.UnitTests.Modules;

public sealed class ContractCheckTests : IDisposable
{
    private readonly PluginFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static ModuleException Refused(ModuleManifest manifest, ModuleErrorCode code)
    {
        var error = Assert.Throws<ModuleException>(() => ContractCheck.Run(manifest));
        Assert.True(code == error.Code, $"{error.Code}: {error.Message}");
        Assert.Contains(manifest.Identity, error.Message);
        return error;
    }

    /// <summary>A contract that has more than the real one, to compile plugins against.</summary>
    private MetadataReference OtherContract(string version = "0.1.0.0", string more = "", string inBdevModule = "") =>
        PluginFolder.Compile(Path.Combine(Directory.CreateDirectory(Path.Combine(_folder.Root, ".other")).FullName, "Spindle.Abstractions.dll"), $$"""
            [assembly: System.Reflection.AssemblyVersion("{{version}}")]
            namespace Spindle.Modules
            {
                public abstract class PluginModule { public abstract string Name { get; } }
                public abstract class BdevModule : PluginModule { {{inBdevModule}} }
                {{more}}
            }
            """);

    private ModuleManifest AddAgainst(MetadataReference contract, string body) => _folder.Add("bdev-x", $$"""
        using Spindle.Modules;
        namespace Fixture;
        public sealed class Entry : BdevModule { public override string Name => "bdev-x"; {{body}} }
        """, references: [contract]);

    [Fact]
    public void A_plugin_that_uses_much_of_the_contract_passes() => ContractCheck.Run(_folder.Add("bdev-x", PluginFolder.BdevSource("bdev-x", """
        public override async Task InitializeAsync(IModuleContext context, CancellationToken ct)
        {
            context.Logging.CreateLogger("x").LogInformation("{Name} {Settings}", context.ModuleName, context.SettingsJson);
            var thread = context.Threads.CreateThread("x", null);
            await thread.InvokeAsync(async () => await Task.Yield());
            thread.RegisterPoller("p", static _ => PollResult.Idle, null, TimeSpan.FromSeconds(1));
            foreach (var bdev in context.Bdevs.All) System.Console.WriteLine(bdev.Name + bdev.Uuid + bdev.Aliases.Count + bdev.DifType);
            var d = context.Bdevs.Open("x", true, static (type, bdev, state) => { }, this);
            d.GetChannel().Read([new Spindle.Memory.IoVec()], 0, 1, static (object? state, in BdevIoResult result) => result.ToString(), this);
            try { throw new SpindleException(Errno.EIO); } catch (SpindleException e) { System.Console.WriteLine(e.Errno + e.Message); }
        }
        class Disk() : Spindle.Bdevs.Bdev("n", "p", 512, 8)
        {
            public override bool Supports(BdevIoType type) => true;
            protected override IoChannel CreateChannel(IStorageThread thread) => new Channel();
            public override void Submit(IoChannel channel, BdevIo io) { foreach (ref readonly var v in io.Iovs) v.Span.Clear(); io.Complete(io.Generation, BdevIoStatus.Success); }
        }
        class Channel : IoChannel;
        """)));

    [Fact]
    public void A_contract_outside_the_range_is_refused()
    {
        Assert.Contains("newer host", Refused(_folder.Add("bdev-x", manifest: json => json["contract"] = "[9.0, 10.0)"), ModuleErrorCode.ContractVersion).Message);
        Assert.Contains("built for this host", Refused(_folder.Add("bdev-y", manifest: json => json["contract"] = "[0.0.1, 0.0.9)"), ModuleErrorCode.ContractVersion).Message);
    }

    [Fact]
    public void A_build_against_a_newer_contract_is_refused() =>
        Refused(AddAgainst(OtherContract("0.9.0.0"), ""), ModuleErrorCode.ContractTooOld);

    [Fact]
    public void A_type_that_the_contract_lacks_is_named() => Assert.Contains("Spindle.Modules.FutureThing", Refused(
        AddAgainst(OtherContract(more: "public class FutureThing;"), "object o = new FutureThing();"), ModuleErrorCode.ContractTypeMissing).Message);

    [Fact]
    public void A_type_that_is_internal_is_no_use() => Assert.Contains("is not public", Refused(
        AddAgainst(OtherContract(more: "} namespace Spindle.Bdevs { public class BdevIoOwner;"), "object o = new Spindle.Bdevs.BdevIoOwner();"),
        ModuleErrorCode.ContractTypeMissing).Message);

    [Fact]
    public void A_member_that_the_contract_lacks_is_named() => Assert.Contains("Spindle.Modules.BdevModule.FutureCall", Refused(
        AddAgainst(OtherContract(inBdevModule: "public void FutureCall(int a) {}"), "void F() => FutureCall(1);"), ModuleErrorCode.ContractMemberMissing).Message);

    [Fact]
    public void A_member_with_another_signature_is_named() => Assert.Contains("another signature", Refused(
        AddAgainst(OtherContract(inBdevModule: "public void ExamineConfig(string bdev) {}"), "void F() => ExamineConfig(\"\");"), ModuleErrorCode.ContractMemberMissing).Message);

    [Fact]
    public void A_field_that_the_contract_lacks_is_named() => Assert.Contains("BdevModule.Count", Refused(
        AddAgainst(OtherContract(inBdevModule: "public int Count;"), "int F() => Count;"), ModuleErrorCode.ContractMemberMissing).Message);

    [Theory]
    [InlineData("Spindle.Abstractions.dll", true)]
    [InlineData("Renamed.dll", true)]
    [InlineData("lib/Microsoft.Extensions.Logging.Abstractions.dll", false)]
    public void A_private_copy_of_a_shared_assembly_is_refused(string path, bool isContract)
    {
        var manifest = _folder.Add("bdev-x");
        var source = isContract ? typeof(Spindle.Modules.PluginModule) : typeof(Microsoft.Extensions.Logging.ILogger);
        var target = Path.Combine(manifest.Folder, path);
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        File.Copy(source.Assembly.Location, target);
        Assert.Contains(Path.GetFileName(path), Refused(manifest, ModuleErrorCode.SharedAssemblyCopied).Message);
    }

    [Fact]
    public void A_native_library_in_the_folder_is_no_copy()
    {
        var manifest = _folder.Add("bdev-x");
        File.WriteAllText(Path.Combine(manifest.Folder, "native.dll"), "MZ not .NET");
        ContractCheck.Run(manifest);
    }

    [Fact]
    public void A_dependency_that_was_left_behind_is_named()
    {
        var library = PluginFolder.Compile(Path.Combine(_folder.Root, "Lib.dll"), "public static class Lib { public static int Value() => 1; }");
        var manifest = _folder.Add("bdev-x", PluginFolder.BdevSource("bdev-x", "int F() => Lib.Value();"), references: [PluginFolder.Contract, library]);
        Assert.Contains("Lib.dll", Refused(manifest, ModuleErrorCode.DependencyMissing).Message);
        File.Copy(Path.Combine(_folder.Root, "Lib.dll"), Path.Combine(manifest.Folder, "Lib.dll"));
        ContractCheck.Run(manifest);
    }

    [Fact]
    public void A_reference_to_the_host_is_refused()
    {
        var host = MetadataReference.CreateFromFile(typeof(ModuleCatalogue).Assembly.Location);
        Refused(_folder.Add("bdev-x", PluginFolder.BdevSource("bdev-x", "object o = Spindle.Host.Modules.VersionRange.Any;"),
            references: [PluginFolder.Contract, host]), ModuleErrorCode.ReferencesHost);
    }

    [Fact]
    public void Hashes_are_compared()
    {
        var manifest = _folder.Add("bdev-x");
        var right = Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(manifest.AssemblyPath)));
        ContractCheck.Run(manifest with { Hashes = new Dictionary<string, string> { ["Fixture.dll"] = right } });
        Assert.Contains("Fixture.dll", Refused(manifest with { Hashes = new Dictionary<string, string> { ["Fixture.dll"] = new string('0', 64) } },
            ModuleErrorCode.HashMismatch).Message);
        Refused(manifest with { Hashes = new Dictionary<string, string> { ["Fixture.dll"] = right, ["gone.so"] = right } }, ModuleErrorCode.HashMissing);
        File.WriteAllText(Path.Combine(manifest.Folder, "extra.so"), "x");
        Assert.Contains("extra.so", Refused(manifest with { Hashes = new Dictionary<string, string> { ["Fixture.dll"] = right } }, ModuleErrorCode.HashMissing).Message);
    }

    [Fact]
    public void A_missing_assembly_is_named()
    {
        var manifest = _folder.Add("bdev-x");
        File.Delete(manifest.AssemblyPath);
        Refused(manifest, ModuleErrorCode.AssemblyMissing);
    }

    [Fact]
    public void A_damaged_assembly_is_refused_wherever_it_is_damaged()
    {
        var manifest = _folder.Add("bdev-x");
        var good = File.ReadAllBytes(manifest.AssemblyPath);
        File.WriteAllText(manifest.AssemblyPath, "no assembly");
        Refused(manifest, ModuleErrorCode.AssemblyInvalid);
        File.WriteAllBytes(manifest.AssemblyPath, good[..(good.Length / 2)]);
        Refused(manifest, ModuleErrorCode.AssemblyInvalid);
        // Some damage leaves a usable file; what counts is that the check ends with a verdict of its own.
        var random = new Random(20261123);
        for (int i = 0; i < 300; i++)
        {
            var bad = (byte[])good.Clone();
            for (int n = random.Next(1, 8); n > 0; n--) bad[random.Next(bad.Length)] = (byte)random.Next(256);
            File.WriteAllBytes(manifest.AssemblyPath, bad);
            try
            {
                ContractCheck.Run(manifest);
            }
            catch (ModuleException)
            {
            }
        }
    }

    [Theory]
    [InlineData("Fixture.Missing", ModuleErrorCode.EntryTypeMissing)]
    [InlineData("Fixture.AbstractEntry", ModuleErrorCode.EntryTypeInvalid)]
    [InlineData("Fixture.GenericEntry`1", ModuleErrorCode.EntryTypeInvalid)]
    [InlineData("Fixture.NoConstructor", ModuleErrorCode.EntryTypeInvalid)]
    [InlineData("Fixture.IEntry", ModuleErrorCode.EntryTypeInvalid)]
    [InlineData("Fixture.Unrelated", ModuleErrorCode.EntryTypeInvalid)]
    [InlineData("Fixture.Tool", ModuleErrorCode.KindMismatch)]
    public void An_entry_that_cannot_be_made_is_refused(string entry, ModuleErrorCode code)
    {
        var manifest = _folder.Add("bdev-x", PluginFolder.BdevSource("bdev-x") + """
            public abstract class AbstractEntry : BdevModule;
            public class GenericEntry<T> : BdevModule { public override string Name => ""; }
            public class NoConstructor(int n) : BdevModule { public override string Name => "" + n; }
            public interface IEntry;
            public class Unrelated;
            public class Tool : ToolModule
            {
                public override string Name => "";
                public override Task<int> RunAsync(IModuleContext c, System.Collections.Generic.IReadOnlyList<string> a, System.IO.TextWriter o, CancellationToken t) => Task.FromResult(0);
            }
            """);
        Refused(manifest with { Entry = entry }, code);
    }

    [Fact]
    public void An_internal_entry_with_a_base_of_its_own_passes() => ContractCheck.Run(_folder.Add("bdev-x", """
        using Spindle.Modules;
        namespace Fixture;
        abstract class Base : BdevModule { public override string Name => "bdev-x"; }
        class Entry : Base { internal Entry() { } }
        """));

    [Fact]
    public void A_missing_entry_names_what_could_be_meant() => Assert.Contains("Fixture.Entry",
        Refused(_folder.Add("bdev-x", manifest: json => json["entry"] = "Fixture.Entri"), ModuleErrorCode.EntryTypeMissing).Message);

    [Fact]
    public void Nothing_of_the_plugin_has_run_or_is_loaded_after_the_check()
    {
        ContractCheck.Run(_folder.Add("bdev-x", assembly: "NeverLoaded"));
        Assert.DoesNotContain(AppDomain.CurrentDomain.GetAssemblies(), assembly => assembly.GetName().Name == "NeverLoaded");
    }
}
