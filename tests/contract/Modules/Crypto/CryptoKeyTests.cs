using Spindle.ContractTests.Harness;
using Spindle.Rpc;

namespace Spindle.ContractTests.Modules.Crypto;

public sealed class CryptoKeyTests(ContractHost host) : CryptoTest(host)
{
    private const string Half = "00112233445566778899aabbccddeeff";

    [Theory]
    [InlineData("""{"name":"K","cipher":"AES_XTS","key":"00112233","key2":"KEY2"}""", "key has 8 hexadecimal digits; AES-128 takes 32, AES-256 takes 64")]
    [InlineData("""{"name":"K","cipher":"AES_XTS","key":"","key2":"KEY2"}""", "key has 0 hexadecimal digits")]
    [InlineData("""{"name":"K","cipher":"AES_XTS","key":"KEY1KEY1KEY1KEY1KEY1","key2":"KEY2"}""", "key has 320 hexadecimal digits")]
    [InlineData("""{"name":"K","cipher":"AES_XTS","key":"KEY1","key2":"0011223344556677x899aabbccddeeff"}""", "key2 has something else than a hexadecimal digit at position 17")]
    [InlineData("""{"name":"K","cipher":"AES_XTS","key":"KEY1","key2":"é011223344556677889aaabbccddeeff"}""", "key2 has something else than a hexadecimal digit at position 1")]
    [InlineData("""{"name":"K","cipher":"AES_XTS","key":"KEY1"}""", "key2 is missing")]
    [InlineData("""{"name":"K","cipher":"AES_XTS","key":"KEY1","key2":"HALF"}""", "key has 32 bytes, key2 16")]
    [InlineData("""{"name":"K","cipher":"AES_XTS","key":"HALF","key2":"HALF"}""", "key and key2 are the same")]
    [InlineData("""{"name":"","cipher":"AES_XTS","key":"KEY1","key2":"KEY2"}""", "name is empty")]
    [InlineData("""{"name":"K","cipher":"AES_CBC","key":"KEY1"}""", "cipher AES_CBC is not supported")]
    [InlineData("""{"name":"K","cipher":"KEY1","key":"KEY1","key2":"KEY2"}""", "cipher is not known; it takes AES_XTS")]
    [InlineData("""{"name":"K","cipher":"AES_XTS","key":"KEY1","key2":"KEY2","tweak_mode":"INCR_512_FULL_LBA"}""", "tweak_mode INCR_512_FULL_LBA is not supported")]
    [InlineData("""{"name":"K","cipher":"AES_XTS","key":"KEY1","key2":"KEY2","tweak_mode":"KEY1"}""", "tweak_mode is not known")]
    [InlineData("""{"name":"K","cipher":"AES_XTS","key":"KEY1","key2":"KEY2","key_file":"/x"}""", "one source only")]
    [InlineData("""{"name":"K","cipher":"AES_XTS","key":"KEY1","key2":"KEY2","deferred":true}""", "one source only")]
    [InlineData("""{"name":"K","cipher":"AES_XTS","deferred":true,"key2":"KEY2"}""", "one source only")]
    [InlineData("""{"name":"K","cipher":"AES_XTS","key_file":"relative"}""", "key_file must be an absolute path")]
    [InlineData("""{"name":"K","cipher":"AES_XTS","key_file":"/nowhere/at/all"}""", "key_file '/nowhere/at/all' cannot be read: No such file")]
    public async Task What_is_wrong_is_named_without_a_digit_of_the_keys(string parameters, string expected)
    {
        parameters = parameters.Replace("KEY1", Key1, StringComparison.Ordinal).Replace("KEY2", Key2, StringComparison.Ordinal).Replace("HALF", Half, StringComparison.Ordinal);
        string message = await RefusedAsync(() => CallAsync("accel_crypto_key_create", parameters), RpcErrorCode.InvalidParams);
        Assert.StartsWith("failed to create DEK, rc -", message);
        Assert.Contains(expected, message);
        foreach (string digits in new[] { Key1, Key2, Half }) Assert.DoesNotContain(digits[..8], message, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("\"K\"", await CallAsync("accel_crypto_keys_get", "{}"));
    }

    [Fact]
    public async Task A_key_without_any_source_does_not_decode() => Assert.StartsWith("spdk_json_decode_object failed: params.key is missing",
        await RefusedAsync(() => CallAsync("accel_crypto_key_create", """{"name":"K","cipher":"AES_XTS"}"""), RpcErrorCode.ParseError));

    [Fact]
    public async Task Keys_are_listed_without_their_secrets_and_destroyed_once()
    {
        string name = ContractHost.NewName("key");
        Assert.Equal("true", await MakeKeyAsync(name));
        Assert.Equal($$"""[{"name":"{{name}}","cipher":"AES_XTS"}]""", await CallAsync("accel_crypto_keys_get", $$"""{"key_name":"{{name}}"}"""));
        Assert.Contains("rc -17: Key name", await RefusedAsync(() => MakeKeyAsync(name), RpcErrorCode.InvalidParams));
        Assert.Equal("true", await DestroyKeyAsync(name));
        Assert.StartsWith("No key object found", await RefusedAsync(() => DestroyKeyAsync(name), RpcErrorCode.InvalidParams));
        Assert.StartsWith("key was not found", await RefusedAsync(() => CallAsync("accel_crypto_keys_get", $$"""{"key_name":"{{name}}"}"""), RpcErrorCode.InvalidParams));
    }

    [Fact]
    public async Task Digits_of_a_call_are_overwritten()
    {
        string name = ContractHost.NewName("key"), digits1 = new([.. Key1]), digits2 = new([.. Key2]);
        var rpc = Host.Modules.Crypto.Service<Spindle.Bdev.Crypto.KeyRpc>();
        await Host.OnAppAsync(() => (Task)rpc.CreateAsync(new() { Name = name, Cipher = "AES_XTS", Key = digits1, Key2 = digits2 }));
        Assert.Equal((new string('\0', 64), new string('\0', 64)), (digits1, digits2));
        await DestroyKeyAsync(name);
    }

    [Fact]
    public async Task A_key_that_a_bdev_uses_is_not_destroyed()
    {
        var disk = await MallocAsync();
        string key = ContractHost.NewName("key"), name = Track(ContractHost.NewName("crypto"));
        await MakeKeyAsync(key);
        await CreateAsync(disk.Name, name, key);
        Assert.StartsWith($"Failed to destroy key, rc -16: it is used by '{name}'", await RefusedAsync(() => DestroyKeyAsync(key), RpcErrorCode.InvalidParams));
        await DeleteAsync(name);
        await DestroyKeyAsync(key);
    }

    [Theory]
    [InlineData("KEY1\nKEY2\n", null)]
    [InlineData("  KEY1   KEY2", null)]
    [InlineData("KEY1\n", "The second key in key_file '")]
    [InlineData("", "The first key in key_file '")]
    [InlineData("KEY1 KEY2 more", "something behind the second key")]
    [InlineData("KEY1 KEY1", "are the same")]
    public async Task A_key_file_holds_two_keys(string text, string? problem)
    {
        string name = ContractHost.NewName("key"), file = NewFile(Path.GetTempPath(), 0);
        await File.WriteAllTextAsync(file, text.Replace("KEY1", Key1, StringComparison.Ordinal).Replace("KEY2", Key2, StringComparison.Ordinal), Cancel);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        if (problem is null)
        {
            await MakeKeyFromFileAsync(name, file);
            Assert.Contains($"accel_crypto_key_create name={name} cipher=AES_XTS key_file={file}", await Host.Modules.SavedAsync(Host.Modules.Crypto));
            await DestroyKeyAsync(name);
            return;
        }
        string message = await RefusedAsync(() => MakeKeyFromFileAsync(name, file), RpcErrorCode.InvalidParams);
        Assert.Contains(problem, message);
        Assert.DoesNotContain(Key1[..8], message);
    }

    [Fact]
    public async Task A_key_file_that_others_may_read_is_refused()
    {
        string file = NewFile(Path.GetTempPath(), 0);
        await File.WriteAllTextAsync(file, $"{Key1}\n{Key2}\n", Cancel);
        if (OperatingSystem.IsWindows()) return;
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        Assert.SkipUnless((File.GetUnixFileMode(file) & UnixFileMode.GroupRead) != 0, "the file system has no file modes");
        Assert.Contains("chmod 600", await RefusedAsync(() => MakeKeyFromFileAsync("K", file), RpcErrorCode.InvalidParams));
    }

    [Fact]
    public async Task A_large_key_file_and_a_directory_are_refused()
    {
        string file = NewFile(Path.GetTempPath(), 1 << 20);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(file, UnixFileMode.UserRead);
        Assert.Contains("more than 4096 bytes", await RefusedAsync(() => MakeKeyFromFileAsync("K", file), RpcErrorCode.InvalidParams));
        Assert.Contains("cannot be read", await RefusedAsync(() => MakeKeyFromFileAsync("K", Path.GetTempPath()), RpcErrorCode.InvalidParams));
    }
}
