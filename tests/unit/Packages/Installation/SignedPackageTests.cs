using System.Text.Json.Nodes;
using Spindle.Host.Modules;
using Spindle.Host.Modules.Installation;
using Spindle.Host.Modules.Trust;

namespace Spindle.UnitTests.Packages.Installation;

/// <summary>Who signed a module is recorded with its installation, and whether that was checked; a verification checks it again.</summary>
public sealed class SignedPackageTests : InstallFixture
{
    private TrustedKey Public(string name) => TrustedKey.Load(Key(name) + ".pub");

    private LockedModule Install(PackageFile package, params string[] trusted) => Store.Install(package.WriteTo(Feed), "here", [.. trusted.Select(Public)]);

    private JsonNode? Recorded => JsonNode.Parse(File.ReadAllText(LockFile))!["modules"]![0]!["signature"];

    [Fact]
    public void A_signature_by_a_trusted_key_is_recorded_as_verified()
    {
        Install(PackageFile.Of().Sign(Key("acme") + ".key"), "mallory", "acme");
        Assert.Equal(Public("acme").Id, (string)Recorded!["key"]!);
        Assert.True((bool)Recorded["verified"]!);
        var result = Assert.Single(Store.Verify());
        Assert.Empty(result.Problems);
        Assert.Equal((Public("acme").Id, true), (result.Signature!.Key, result.Signature.Verified));
    }

    [Fact]
    public void A_signature_that_nobody_asked_for_is_recorded_as_unverified()
    {
        Install(PackageFile.Of().Sign(Key("acme") + ".key"));
        Assert.Equal(Public("acme").Id, (string)Recorded!["key"]!);
        Assert.False((bool)Recorded["verified"]!);
        Assert.False(Assert.Single(Store.Verify()).Signature!.Verified);
        // Its key, once it is known, can be checked at any time.
        Assert.Empty(Assert.Single(Store.Verify(null, [Public("acme")])).Problems);
        Assert.Contains(Public("acme").Id, Assert.Single(Assert.Single(Store.Verify(null, [Public("mallory")])).Problems));
    }

    [Fact]
    public void What_was_verified_stays_so_when_it_is_installed_again()
    {
        var package = PackageFile.Of().Sign(Key("acme") + ".key");
        Install(package);
        Assert.False((bool)Recorded!["verified"]!);
        Install(package, "acme");
        Assert.True((bool)Recorded!["verified"]!);
        Install(package);
        Assert.True((bool)Recorded!["verified"]!);
    }

    [Fact]
    public void With_a_key_named_only_modules_that_it_signed_are_installed()
    {
        Assert.Equal(ModuleErrorCode.SignatureMissing, Assert.Throws<ModuleException>(() => Install(PackageFile.Of(), "acme")).Code);
        Assert.Equal(ModuleErrorCode.SignatureUntrusted, Assert.Throws<ModuleException>(() => Install(PackageFile.Of().Sign(Key("mallory") + ".key"), "acme")).Code);
        var altered = PackageFile.Of().Sign(Key("acme") + ".key").Add("module/more.txt", "x");
        Assert.Equal(ModuleErrorCode.SignatureInvalid, Assert.Throws<ModuleException>(() => Install(altered, "acme")).Code);
        AssertNothingIsLeft();
    }

    [Fact]
    public void A_signature_that_cannot_be_read_is_refused_with_or_without_a_key()
    {
        Assert.Equal(ModuleErrorCode.SignatureInvalid, Assert.Throws<ModuleException>(() => Install(PackageFile.Of().Add("module/module.sig", "{"))).Code);
        Assert.Equal(ModuleErrorCode.SignatureInvalid, Assert.Throws<ModuleException>(() => Install(PackageFile.Of().Add("module/module.sig", new byte[100_000]))).Code);
        AssertNothingIsLeft();
    }

    /// <summary>One who may write to the folder can make the lock file's hashes fit, but no signature.</summary>
    [Fact]
    public void A_change_that_the_lock_file_was_made_to_fit_is_found_by_the_signature()
    {
        Install(PackageFile.Of().Sign(Key("acme") + ".key"), "acme");
        Alter(Path.Combine(VersionFolder(), "notes.txt"), file => File.AppendAllText(file, "!"));
        ForgeHashes();
        Assert.Contains("are not those that key", Assert.Single(Assert.Single(Store.Verify()).Problems));
    }

    [Fact]
    public void A_signature_of_another_or_none_is_found()
    {
        Install(PackageFile.Of().Sign(Key("acme") + ".key"), "acme");
        MakeWritable(VersionFolder());
        Alter(Path.Combine(VersionFolder(), "module.sig"), File.Delete);
        ForgeHashes();
        Assert.Contains($"was signed by key {Public("acme").Id}", Assert.Single(Assert.Single(Store.Verify()).Problems));
        ModuleSignature.Sign(VersionFolder(), Key("mallory") + ".key");
        ForgeHashes();
        Assert.Contains(Public("mallory").Id, Assert.Single(Assert.Single(Store.Verify()).Problems));
    }

    [Fact]
    public void A_recorded_key_that_is_not_the_one_of_its_id_is_found()
    {
        Install(PackageFile.Of().Sign(Key("acme") + ".key"), "acme");
        var json = JsonNode.Parse(File.ReadAllText(LockFile))!;
        json["modules"]![0]!["signature"]!["publicKey"] = Convert.ToBase64String(Public("mallory").Key.ExportSubjectPublicKeyInfo());
        File.WriteAllText(LockFile, json.ToJsonString());
        Assert.Contains("publicKey", Assert.Single(Assert.Single(Store.Verify()).Problems));
    }

    private void ForgeHashes()
    {
        var json = JsonNode.Parse(File.ReadAllText(LockFile))!;
        json["modules"]![0]!["files"] = new JsonObject(StoreFolder.Hash(VersionFolder()).Select(file => KeyValuePair.Create(file.Key, (JsonNode?)file.Value)));
        File.WriteAllText(LockFile, json.ToJsonString());
    }
}
