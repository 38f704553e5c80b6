using Spindle.ContractTests.Harness;
using Spindle.ContractTests.Suite;
using Spindle.Rpc;

namespace Spindle.ContractTests.Modules.Crypto;

/// <summary>A test with keys and crypto bdevs by their RPC methods; what it made is taken away.</summary>
public abstract class CryptoTest(ContractHost host) : BdevTest(host)
{
    // Any two; long enough to be found wherever they turn up.
    protected const string Key1 = "00112233445566778899aabbccddeeff0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    protected const string Key2 = "fedcba98765432100123456789abcdef13579bdf02468aceeca86420fdb97531";

    protected Task<string> CallAsync(string method, string parameters) => Host.Modules.Crypto.CallAsync(method, parameters);

    protected Task<string> MakeKeyAsync(string name, string key1 = Key1, string key2 = Key2) =>
        CallAsync("accel_crypto_key_create", $$"""{"name":"{{name}}","cipher":"AES_XTS","key":"{{key1}}","key2":"{{key2}}"}""");

    protected Task<string> MakeKeyFromFileAsync(string name, string file) =>
        CallAsync("accel_crypto_key_create", $$"""{"name":"{{name}}","cipher":"AES_XTS","key_file":"{{file}}"}""");

    protected Task<string> DestroyKeyAsync(string name) => CallAsync("accel_crypto_key_destroy", $$"""{"key_name":"{{name}}"}""");

    protected Task<string> CreateAsync(string lower, string name, string key) =>
        CallAsync("bdev_crypto_create", $$"""{"base_bdev_name":"{{lower}}","name":"{{name}}","key_name":"{{key}}"}""");

    protected Task<string> DeleteAsync(string name) => CallAsync("bdev_crypto_delete", $$"""{"name":"{{name}}"}""");

    protected Task<BdevSubject> MallocAsync(string? name = null, ulong blocks = 256, uint blockSize = 512, uint metadata = 0, int dif = 0) => Subjects.MallocAsync(Host,
        new() { Name = Track(name ?? ContractHost.NewName("disk")), NumBlocks = blocks, BlockSize = blockSize, MdSize = metadata, DifType = dif, MdInterleave = metadata > 0 });

    protected static async Task<string> RefusedAsync(Func<Task> call, int code)
    {
        var refused = await Assert.ThrowsAsync<RpcException>(call);
        Assert.Equal(code, refused.Code);
        return refused.Message;
    }
}
