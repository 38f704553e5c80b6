using Spindle.Bdev.Aio;
using Spindle.Bdev.Malloc;
using Spindle.Bdev.Null;
using Spindle.Bdev.Passthru;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Suite;

/// <summary>Makes bdevs by their modules' RPC methods.</summary>
public static class Subjects
{
    public static async Task<BdevSubject> MallocAsync(ContractHost host, MallocCreateParameters parameters)
    {
        parameters.Name ??= ContractHost.NewName("malloc");
        string name = parameters.Name;
        await host.OnAppAsync(() => host.Modules.Malloc.CreateAsync(parameters, CancellationToken.None));
        return new BdevSubject(name) { DeleteAsync = () => host.OnAppAsync(() => host.Modules.Malloc.DeleteAsync(new MallocDeleteParameters { Name = name })) };
    }

    public static async Task<BdevSubject> NullAsync(ContractHost host, NullCreateParameters parameters)
    {
        if (parameters.Name.Length == 0) parameters.Name = ContractHost.NewName("null");
        string name = parameters.Name;
        await host.OnAppAsync(() => host.Modules.Null.Create(parameters));
        ulong mebibytes = parameters.NumBlocks * parameters.BlockSize >> 20;
        return new BdevSubject(name)
        {
            KeepsData = false,
            GrowAsync = blocks => host.OnAppAsync(() => host.Modules.Null.Resize(new NullResizeParameters
            {
                Name = name, NewSize = mebibytes += blocks * parameters.BlockSize >> 20,
            })),
            DeleteAsync = () => host.OnAppAsync(() => host.Modules.Null.DeleteAsync(new NullDeleteParameters { Name = name })),
        };
    }

    public static async Task<BdevSubject> AioAsync(ContractHost host, AioCreateParameters parameters)
    {
        if (parameters.Name.Length == 0) parameters.Name = ContractHost.NewName("aio");
        string name = parameters.Name;
        await host.OnAppAsync(() => host.Modules.Aio.CreateAsync(parameters));
        var bdev = host.Registry.Find(name)!;
        return new BdevSubject(name)
        {
            GrowAsync = async blocks =>
            {
                using (var file = new FileStream(parameters.Filename, FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) file.SetLength(file.Length + (long)(blocks * bdev.BlockSize));
                await host.OnAppAsync(() => host.Modules.Aio.Rescan(new AioNameParameters { Name = name }));
            },
            RestartAsync = async () =>
            {
                await host.OnAppAsync(() => host.Modules.Aio.DeleteAsync(new AioNameParameters { Name = name }));
                await host.OnAppAsync(() => host.Modules.Aio.CreateAsync(parameters));
            },
            DeleteAsync = () => host.OnAppAsync(() => host.Modules.Aio.DeleteAsync(new AioNameParameters { Name = name })),
        };
    }

    /// <summary>Puts passthrus on a bdev.</summary>
    public static async Task<BdevSubject> PassthruAsync(ContractHost host, BdevSubject lower, int layers = 1)
    {
        for (int i = 0; i < layers; i++)
        {
            string baseName = lower.Name, name = ContractHost.NewName("passthru");
            await host.OnAppAsync(() => host.Modules.Passthru.Create(new PassthruCreateParameters { BaseBdevName = baseName, Name = name }));
            lower = lower with
            {
                Name = name,
                Below = [.. lower.Below, baseName],
                RestartAsync = null,
                DeleteAsync = () => host.OnAppAsync(() => host.Modules.Passthru.DeleteAsync(new PassthruDeleteParameters { Name = name })),
            };
        }
        return lower;
    }

    /// <summary>Splits a bdev and gives one of the parts. The parts keep their size.</summary>
    public static async Task<BdevSubject> SplitAsync(ContractHost host, BdevSubject lower, uint count, int part)
    {
        string baseName = lower.Name;
        await host.Modules.Split.CallAsync("bdev_split_create", $$"""{"base_bdev":"{{baseName}}","split_count":{{count}}}""");
        return lower with
        {
            Name = $"{baseName}p{part}",
            GrowAsync = null,
            Below = [.. lower.Below, baseName, .. Enumerable.Range(0, (int)count).Where(i => i != part).Select(i => $"{baseName}p{i}")],
            DeleteAsync = () => host.Modules.Split.CallAsync("bdev_split_delete", $$"""{"base_bdev":"{{baseName}}"}"""),
        };
    }

    /// <summary>Puts a delay on a bdev.</summary>
    public static async Task<BdevSubject> DelayAsync(ContractHost host, BdevSubject lower, int average, int p99)
    {
        string name = ContractHost.NewName("delay");
        await host.Modules.Delay.CallAsync("bdev_delay_create", $$"""
            {"base_bdev_name":"{{lower.Name}}","name":"{{name}}","avg_read_latency":{{average}},"p99_read_latency":{{p99}},"avg_write_latency":{{average}},"p99_write_latency":{{p99}}}
            """);
        return On(lower, name, () => host.Modules.Delay.CallAsync("bdev_delay_delete", $$"""{"name":"{{name}}"}"""));
    }

    /// <summary>Puts an error bdev on a bdev; nothing is injected.</summary>
    public static async Task<BdevSubject> ErrorAsync(ContractHost host, BdevSubject lower)
    {
        string name = "EE_" + lower.Name;
        await host.Modules.Error.CallAsync("bdev_error_create", $$"""{"base_name":"{{lower.Name}}"}""");
        return On(lower, name, () => host.Modules.Error.CallAsync("bdev_error_delete", $$"""{"name":"{{name}}"}"""));
    }

    /// <summary>Puts a crypto bdev on a bdev, with a key of its own.</summary>
    public static async Task<BdevSubject> CryptoAsync(ContractHost host, BdevSubject lower, int keySize = 32)
    {
        string name = ContractHost.NewName("crypto"), key = name + "_key";
        await host.Modules.Crypto.CallAsync("accel_crypto_key_create", $$"""
            {"name":"{{key}}","cipher":"AES_XTS","key":"{{NewKey(keySize)}}","key2":"{{NewKey(keySize)}}"}
            """);
        await host.Modules.Crypto.CallAsync("bdev_crypto_create", $$"""{"base_bdev_name":"{{lower.Name}}","name":"{{name}}","key_name":"{{key}}"}""");
        return On(lower, name, async () =>
        {
            await host.Modules.Crypto.CallAsync("bdev_crypto_delete", $$"""{"name":"{{name}}"}""");
            await host.Modules.Crypto.CallAsync("accel_crypto_key_destroy", $$"""{"key_name":"{{key}}"}""");
        }) with { UnmapsToZero = false, RestartAsync = null };
    }

    /// <summary>Puts zones on a bdev. They are gone with it, and it keeps its size.</summary>
    public static async Task<BdevSubject> ZoneBlockAsync(ContractHost host, BdevSubject lower, ulong zoneCapacity)
    {
        string name = ContractHost.NewName("zones");
        await host.Modules.ZoneBlock.CallAsync("bdev_zone_block_create", $$"""{"base_bdev":"{{lower.Name}}","name":"{{name}}","zone_capacity":{{zoneCapacity}},"optimal_open_zones":1}""");
        return On(lower, name, () => host.Modules.ZoneBlock.CallAsync("bdev_zone_block_delete", $$"""{"name":"{{name}}"}""")) with { GrowAsync = null, RestartAsync = null };
    }

    /// <summary>A partition of 2048 blocks on a file that bdev-aio serves. It keeps its size.</summary>
    public static async Task<BdevSubject> GptAsync(ContractHost host, AioCreateParameters parameters)
    {
        new Modules.Gpt.GptImage((int)parameters.BlockSize, 4096, new Modules.Gpt.GptEntry(Modules.Gpt.GptImage.Linux, 100, 199),
            new Modules.Gpt.GptEntry(Modules.Gpt.GptImage.Spdk, 200, 2247, "", Guid.NewGuid())).WriteTo(parameters.Filename);
        var lower = await AioAsync(host, parameters);
        Task Examined() => host.OnAppAsync(() => host.Registry.WaitForExamineAsync());
        await Examined();
        string name = lower.Name + "p2";
        return lower with
        {
            Name = name,
            Below = [.. lower.Below, lower.Name],
            GrowAsync = null,
            RestartAsync = async () =>
            {
                await lower.RestartAsync!();
                await Examined();
            },
            DeleteAsync = () => host.UnregisterAsync(name),
        };
    }

    /// <summary>A logical volume in a store of its own, with clusters of 64 KiB.</summary>
    public static async Task<BdevSubject> LvolAsync(ContractHost host, BdevSubject lower, bool thin, bool clone = false, ulong mebibytes = 1)
    {
        string store = ContractHost.NewName("lvs"), name = $"{store}/v";
        var lvol = host.Modules.Lvol;
        await lvol.CallAsync("bdev_lvol_create_lvstore", $$"""{"bdev_name":"{{lower.Name}}","lvs_name":"{{store}}","cluster_sz":65536}""");
        await lvol.CallAsync("bdev_lvol_create", $$"""{"lvs_name":"{{store}}","lvol_name":"v","size_in_mib":{{mebibytes}},"thin_provision":{{(thin ? "true" : "false")}}}""");
        if (clone)
        {
            await lvol.CallAsync("bdev_lvol_snapshot", $$"""{"lvol_name":"{{name}}","snapshot_name":"s"}""");
            await lvol.CallAsync("bdev_lvol_clone", $$"""{"snapshot_name":"{{store}}/s","clone_name":"c"}""");
            name = $"{store}/c";
        }
        return lower with
        {
            Name = host.Registry.Find(name)!.Name,
            Below = [.. lower.Below, lower.Name],
            GrowAsync = blocks => lvol.CallAsync("bdev_lvol_resize", $$"""{"name":"{{name}}","size_in_mib":{{mebibytes += Math.Max(1, blocks * 512 >> 20)}}}"""),
            RestartAsync = lower.RestartAsync is null ? null : async () =>
            {
                await lower.RestartAsync();
                await host.OnAppAsync(() => host.Registry.WaitForExamineAsync());
            },
            DeleteAsync = () => lvol.CallAsync("bdev_lvol_delete_lvstore", $$"""{"lvs_name":"{{store}}"}"""),
        };
    }

    private static string NewKey(int size) => Convert.ToHexString(System.Security.Cryptography.RandomNumberGenerator.GetBytes(size));

    private static BdevSubject On(BdevSubject lower, string name, Func<Task> delete) => lower with { Name = name, Below = [.. lower.Below, lower.Name], DeleteAsync = delete };
}
