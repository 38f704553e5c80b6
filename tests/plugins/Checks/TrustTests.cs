using Spindle.Host.Hosting;
using Spindle.Host.Modules;
using Spindle.Host.Modules.Trust;
using Spindle.Rpc;
using Spindle.UnitTests.Modules;

namespace Spindle.PluginTests.Checks;

/// <summary>An app that names keys takes modules that one of them signed, whole and unaltered, and no others; native libraries must be for this machine.</summary>
public sealed class TrustTests : IDisposable
{
    private readonly PluginFolder _folder = new();
    private readonly string _keys = Directory.CreateTempSubdirectory("spindle-keys-").FullName;

    public void Dispose()
    {
        _folder.Dispose();
        Directory.Delete(_keys, recursive: true);
    }

    private string Key(string name)
    {
        var path = Path.Combine(_keys, name);
        if (!File.Exists(path + ".key")) ModuleSignature.Generate(path);
        return path;
    }

    private async Task<string?> LoadAsync(ModuleErrorCode? expected)
    {
        await using var host = await SpindleHost.StartAsync(new SpindleHostOptions
        {
            ModuleFolders = [_folder.Root], TrustedKeys = [Key("acme") + ".pub"], Iobuf = new() { SmallPoolCount = 64, LargePoolCount = 8 },
        });
        if (expected is null)
        {
            await host.CallAsync("module_verify", """{ "name": "bdev-x" }""");
            return await host.CallAsync("module_load", """{ "name": "bdev-x" }""");
        }
        foreach (var method in new[] { "module_load", "module_verify" })
        {
            var error = await Assert.ThrowsAsync<RpcException>(() => host.CallAsync(method, """{ "name": "bdev-x" }"""));
            Assert.Equal(-1000 - (int)expected, error.Code);
            Assert.Contains("bdev-x 1.0.0", error.Message);
        }
        return null;
    }

    [Fact]
    public async Task A_signed_module_is_taken()
    {
        ModuleSignature.Sign(_folder.Add("bdev-x").Folder, Key("acme") + ".key");
        Assert.Contains("\"state\":\"running\"", await LoadAsync(null));
    }

    [Fact]
    public async Task An_unsigned_one_is_refused()
    {
        _folder.Add("bdev-x");
        await LoadAsync(ModuleErrorCode.SignatureMissing);
    }

    [Fact]
    public async Task One_signed_by_a_stranger_is_refused()
    {
        ModuleSignature.Sign(_folder.Add("bdev-x").Folder, Key("mallory") + ".key");
        await LoadAsync(ModuleErrorCode.SignatureUntrusted);
    }

    [Theory]
    [InlineData("altered")]
    [InlineData("added")]
    [InlineData("removed")]
    [InlineData("manifest")]
    [InlineData("key-id")]
    [InlineData("garbage")]
    public async Task An_altered_one_is_refused(string how)
    {
        var manifest = _folder.Add("bdev-x");
        var extra = Path.Combine(manifest.Folder, "extra.txt");
        if (how == "removed") File.WriteAllText(extra, "x");
        ModuleSignature.Sign(manifest.Folder, Key(how == "key-id" ? "mallory" : "acme") + ".key");
        var signature = Path.Combine(manifest.Folder, ModuleSignature.FileName);
        switch (how)
        {
            case "altered":
                using (var file = File.OpenWrite(manifest.AssemblyPath))
                {
                    file.Position = file.Length - 1;
                    file.WriteByte(0x5a);
                }
                break;
            case "added": File.WriteAllText(extra, "x"); break;
            case "removed": File.Delete(extra); break;
            case "manifest": File.AppendAllText(Path.Combine(manifest.Folder, "module.json"), "\n"); break;
            // Another's signature under the trusted key's name.
            case "key-id": File.WriteAllText(signature, File.ReadAllText(signature).Replace(TrustedKey.Load(Key("mallory") + ".pub").Id, TrustedKey.Load(Key("acme") + ".pub").Id)); break;
            case "garbage": File.WriteAllText(signature, "{ \"algorithm\": \"ecdsa-p256-sha256\", \"key\": \"00\", \"signature\": \"%%%\" }"); break;
        }
        await LoadAsync(ModuleErrorCode.SignatureInvalid);
    }

    [Fact]
    public void A_private_key_is_its_owners_alone()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "file modes are those of Unix");
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Key("acme") + ".key"));
        Assert.Throws<SpindleException>(() => ModuleSignature.Generate(Key("acme")));
        Assert.Throws<SpindleException>(() => ModuleSignature.Sign(_folder.Add("bdev-x").Folder, Key("acme") + ".pub"));
    }

    [Theory]
    [InlineData("libx.so", 0x3e, 2, true)]
    [InlineData("libx.so", 0xb7, 2, false)]
    [InlineData("libx.so", 0x3e, 1, false)]
    [InlineData("libx.so.1", 0x28, 1, false)]
    [InlineData("runtimes/linux-x64/native/libx.so", 0xb7, 2, false)]
    [InlineData("runtimes/win-x64/native/x.so", 0x3e, 2, false)]
    public void Native_libraries_must_be_for_this_processor(string path, int machine, byte elfClass, bool fits)
    {
        Assert.SkipUnless(System.Runtime.InteropServices.RuntimeInformation.RuntimeIdentifier.EndsWith("x64", StringComparison.Ordinal) && OperatingSystem.IsLinux(), "the cases are for x64 Linux");
        var manifest = _folder.Add("bdev-x");
        var file = Path.Combine(manifest.Folder, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        var header = new byte[64];
        "\x7FELF"u8.CopyTo(header);
        (header[4], header[5], header[18]) = (elfClass, 1, (byte)machine);
        File.WriteAllBytes(file, header);
        if (fits) ContractCheck.Run(manifest);
        else Assert.Equal(ModuleErrorCode.NativeArchitecture, Assert.Throws<ModuleException>(() => ContractCheck.Run(manifest)).Code);
    }
}
