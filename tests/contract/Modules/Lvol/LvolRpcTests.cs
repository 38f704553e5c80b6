using System.Text.Json.Nodes;
using Spindle.Bdevs;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Modules.Lvol;

/// <summary>The methods as clients call them; names, replies and error codes are SPDK's.</summary>
public sealed class LvolRpcTests(ContractHost host) : LvolTest(host)
{
    [Fact]
    public async Task A_store_and_a_volume_are_shown_as_SPDK_shows_them()
    {
        var (store, disk) = await StoreAsync();
        string id = await CreateAsync(store, "v", 2);
        var info = await StoreInfoAsync(store);
        string uuid = (string)info["uuid"]!;
        Assert.Equal(["uuid", "name", "base_bdev", "total_data_clusters", "free_clusters", "block_size", "cluster_size", "max_growable_size"], info.Select(member => member.Key));
        Assert.Equal((store, disk.Name, 512, 65536), ((string)info["name"]!, (string)info["base_bdev"]!, (int)info["block_size"]!, (int)info["cluster_size"]!));
        Assert.Equal((int)info["total_data_clusters"]!, (int)info["free_clusters"]!);
        Assert.Equal(JsonNode.Parse($$"""
            {"alias":"{{store}}/v","uuid":"{{id}}","name":"v","is_thin_provisioned":true,"is_snapshot":false,"is_clone":false,"is_esnap_clone":false,"is_degraded":false,
             "num_allocated_clusters":0,"lvs":{"name":"{{store}}","uuid":"{{uuid}}"} }
            """)!.ToJsonString(), (await InfoAsync(store, "v")).ToJsonString());
        var bdev = await FindAsync($"{store}/v");
        Assert.Equal((id, Guid.Parse(id), "Logical Volume", 4096ul, 128u), (bdev.Name, bdev.Uuid, bdev.ProductName, bdev.BlockCount, bdev.OptimalIoBoundary));
        Assert.Contains(await CallAsync("bdev_lvol_get_lvstores") is JsonArray all ? all.Select(s => (string)s!["name"]!) : [], name => name == store);
        Assert.True((bool)(await CallAsync("bdev_lvol_delete_lvstore", $$"""{"uuid":"{{uuid}}"}"""))!);
        Assert.Null(Host.Registry.Find(id));
        // The bdev is free again, and there is nothing on it.
        await CallAsync("bdev_lvol_create_lvstore", $$"""{"bdev_name":"{{disk.Name}}","lvs_name":"{{store}}","cluster_sz":65536}""");
        Assert.Empty((await CallAsync("bdev_lvol_get_lvols", $$"""{"lvs_name":"{{store}}"}"""))!.AsArray());
    }

    [Fact]
    public async Task Errors_have_SPDKs_codes_and_words()
    {
        var (store, disk) = await StoreAsync();
        await CreateAsync(store, "v");
        async Task Fails(int code, string words, string method, string parameters)
        {
            var e = await FailsAsync(method, parameters);
            Assert.True(e.Code == code && e.Message.StartsWith(words, StringComparison.Ordinal), $"{method}: {e.Code} {e.Message}");
        }
        await Fails(-1, "Operation not permitted", "bdev_lvol_create_lvstore", $$"""{"bdev_name":"{{disk.Name}}","lvs_name":"other"}""");
        await Fails(-19, "No such device", "bdev_lvol_create_lvstore", """{"bdev_name":"nothing","lvs_name":"other"}""");
        await Fails(-22, "Invalid clear_method parameter", "bdev_lvol_create_lvstore", """{"bdev_name":"nothing","lvs_name":"other","clear_method":"burn"}""");
        await Fails(-32602, "No space left on device", "bdev_lvol_create", $$"""{"lvs_name":"{{store}}","lvol_name":"large","size_in_mib":1000}""");
        await Fails(-32602, "File exists", "bdev_lvol_create", $$"""{"lvs_name":"{{store}}","lvol_name":"v","size_in_mib":1}""");
        await Fails(-32602, "Invalid argument", "bdev_lvol_create", $$"""{"lvs_name":"{{store}}","lvol_name":"w","size_in_mib":0}""");
        await Fails(-32602, "Invalid argument", "bdev_lvol_create", $$"""{"lvs_name":"{{store}}","lvol_name":"w","size_in_mib":18446744073709551615}""");
        await Fails(-32602, "Invalid argument", "bdev_lvol_create", $$"""{"lvs_name":"{{store}}","lvol_name":"{{new string('x', 64)}}","size_in_mib":1}""");
        await Fails(-19, "No such device", "bdev_lvol_create", """{"lvs_name":"nothing","lvol_name":"v","size_in_mib":1}""");
        await Fails(-22, "Invalid argument", "bdev_lvol_create", """{"lvol_name":"v","size_in_mib":1}""");
        await Fails(-22, "Invalid clean_method option", "bdev_lvol_create", $$"""{"lvs_name":"{{store}}","lvol_name":"w","size_in_mib":1,"clear_method":"burn"}""");
        await Fails(-19, "No such device", "bdev_lvol_delete", """{"name":"nothing"}""");
        await Fails(-19, "No such device", "bdev_lvol_snapshot", $$"""{"lvol_name":"{{disk.Name}}","snapshot_name":"s"}""");
        await Fails(-2, "Lvol store nothing not found", "bdev_lvol_rename_lvstore", """{"old_name":"nothing","new_name":"other"}""");
        await Fails(-32602, "Invalid argument", "bdev_lvol_clone", $$"""{"snapshot_name":"{{store}}/v","clone_name":"c"}""");
        await Fails(-32602, "Invalid argument", "bdev_lvol_decouple_parent", $$"""{"name":"{{store}}/v"}""");
        await Fails(-32602, "lvs does not exist", "bdev_lvol_clone_bdev", """{"bdev":"nothing","lvs_name":"nothing","clone_name":"c"}""");
        await Fails(-32602, "bdev does not exist", "bdev_lvol_clone_bdev", $$"""{"bdev":"nothing","lvs_name":"{{store}}","clone_name":"c"}""");
        await Fails(-32602, "bdev is an lvol in same lvs as clone; use bdev_lvol_clone instead", "bdev_lvol_clone_bdev", $$"""{"bdev":"{{store}}/v","lvs_name":"{{store}}","clone_name":"c"}""");
        await CallAsync("bdev_lvol_set_read_only", $$"""{"name":"{{store}}/v"}""");
        await Fails(-32602, "Operation not permitted", "bdev_lvol_resize", $$"""{"name":"{{store}}/v","size_in_mib":2}""");
        await Fails(-32602, "Invalid argument", "bdev_lvol_snapshot", $$"""{"lvol_name":"{{store}}/v","snapshot_name":"s"}""");
    }

    [Fact]
    public async Task Snapshots_and_clones_keep_what_they_are_of()
    {
        var (store, _) = await StoreAsync();
        var random = new Random(1);
        await CreateAsync(store, "v");
        byte[] first = RandomBytes(random, 3 * 65536), second = RandomBytes(random, 4096);
        await WriteAsync($"{store}/v", 0, first);
        byte[] before = await ReadAsync($"{store}/v");
        await CallAsync("bdev_lvol_snapshot", $$"""{"lvol_name":"{{store}}/v","snapshot_name":"s"}""");
        await WriteAsync($"{store}/v", 65536 + 512, second);
        byte[] after = await ReadAsync($"{store}/v");
        await CallAsync("bdev_lvol_clone", $$"""{"snapshot_name":"{{store}}/s","clone_name":"c"}""");
        Assert.Equal(before, await ReadAsync($"{store}/s"));
        Assert.Equal(before, await ReadAsync($"{store}/c"));
        Assert.Equal([.. before[..(65536 + 512)], .. second, .. before[(65536 + 512 + 4096)..]], after);
        Assert.Equal((true, false, 3), ((bool)(await InfoAsync(store, "s"))["is_snapshot"]!, (bool)(await InfoAsync(store, "s"))["is_clone"]!, (int)(await InfoAsync(store, "s"))["num_allocated_clusters"]!));
        Assert.Equal((true, 1), ((bool)(await InfoAsync(store, "v"))["is_clone"]!, (int)(await InfoAsync(store, "v"))["num_allocated_clusters"]!));
        Assert.Equal(-32603, (await FailsAsync("bdev_lvol_delete", $$"""{"name":"{{store}}/s"}""")).Code);
        await CallAsync("bdev_lvol_inflate", $$"""{"name":"{{store}}/c"}""");
        Assert.Equal((false, false, 16), ((bool)(await InfoAsync(store, "c"))["is_clone"]!, (bool)(await InfoAsync(store, "c"))["is_thin_provisioned"]!, (int)(await InfoAsync(store, "c"))["num_allocated_clusters"]!));
        await CallAsync("bdev_lvol_delete", $$"""{"name":"{{store}}/s"}""");
        Assert.Equal(after, await ReadAsync($"{store}/v"));
        Assert.Equal(before, await ReadAsync($"{store}/c"));
        Assert.False((bool)(await InfoAsync(store, "v"))["is_clone"]!);
    }

    [Fact]
    public async Task Names_and_sizes_change()
    {
        var (store, _) = await StoreAsync();
        string id = await CreateAsync(store, "v");
        await CallAsync("bdev_lvol_rename", $$"""{"old_name":"{{store}}/v","new_name":"w"}""");
        Assert.Null(Host.Registry.Find($"{store}/v"));
        Assert.Equal(id, Host.Registry.Find($"{store}/w")!.Name);
        string other = ContractHost.NewName("lvs");
        await CallAsync("bdev_lvol_rename_lvstore", $$"""{"old_name":"{{store}}","new_name":"{{other}}"}""");
        Assert.Null(Host.Registry.Find($"{store}/w"));
        await WriteAsync($"{other}/w", 512, RandomBytes(new Random(1), 512));
        await CallAsync("bdev_lvol_resize", $$"""{"name":"{{other}}/w","size_in_mib":3}""");
        byte[] larger = await ReadAsync($"{other}/w");
        Assert.Equal(3 * Mebibyte, larger.Length);
        await using (var client = await OpenAsync(id))
        {
            Assert.Equal((-32602, true), (await FailsAsync("bdev_lvol_resize", $$"""{"name":"{{id}}","size_in_mib":1}""") is var e ? (e.Code, e.Message.StartsWith("Device or resource busy", StringComparison.Ordinal)) : default));
        }
        await CallAsync("bdev_lvol_resize", $$"""{"name":"{{id}}","size_in_mib":1}""");
        Assert.Equal(larger[..Mebibyte], await ReadAsync(id));
    }

    [Fact]
    public async Task A_volume_that_finds_no_space_fails_and_harms_nothing()
    {
        var (store, _) = await StoreAsync(2);
        await CreateAsync(store, "thin", 4);
        await using var client = await OpenAsync($"{store}/thin");
        byte[] data = RandomBytes(new Random(1), 65536);
        int written = 0;
        using var buffer = new TestBuffer(65536);
        buffer.Set(data);
        for (; written < 64; written++)
        {
            var outcome = await client.WriteAsync(buffer, (ulong)written * 128, 128);
            if (outcome.IsSuccess) continue;
            Assert.Equal(Errno.ENOSPC, outcome.Result.ErrorNumber);
            break;
        }
        Assert.InRange(written, 1, 31);
        Assert.Equal(0, (int)(await StoreInfoAsync(store))["free_clusters"]!);
        for (int i = 0; i < written; i++) Assert.Equal(data, await client.ReadBytesAsync((ulong)i * 128, 128));
        Assert.Equal(new byte[65536], await client.ReadBytesAsync((ulong)written * 128, 128));
        // What is given back can be written again.
        Assert.True((await client.UnmapAsync(0, 128)).IsSuccess);
        Assert.Equal(1, (int)(await StoreInfoAsync(store))["free_clusters"]!);
        Assert.True((await client.WriteAsync(buffer, (ulong)written * 128, 128)).IsSuccess);
        Assert.Equal(new byte[65536], await client.ReadBytesAsync(0, 128));
    }

    [Fact]
    public async Task A_store_grows_with_its_bdev()
    {
        string file = NewFile(AppContext.BaseDirectory, 4 << 20);
        var lower = await Suite.Subjects.AioAsync(Host, new() { Filename = file, BlockSize = 512 });
        Track(lower.Name);
        string store = ContractHost.NewName("lvs");
        await CallAsync("bdev_lvol_create_lvstore", $$"""{"bdev_name":"{{lower.Name}}","lvs_name":"{{store}}","cluster_sz":65536}""");
        await CreateAsync(store, "v", 2, thin: false);
        byte[] data = RandomBytes(new Random(1), 65536);
        await WriteAsync($"{store}/v", 65536, data);
        int clusters = (int)(await StoreInfoAsync(store))["total_data_clusters"]!;
        await lower.GrowAsync!((4 << 20) / 512);
        await CallAsync("bdev_lvol_grow_lvstore", $$"""{"lvs_name":"{{store}}"}""");
        Assert.Equal(clusters + 64, (int)(await StoreInfoAsync(store))["total_data_clusters"]!);
        await CreateAsync(store, "w", 4, thin: false);
        await lower.RestartAsync!();
        await Host.OnAppAsync(() => Host.Registry.WaitForExamineAsync());
        Assert.Equal(clusters + 64, (int)(await StoreInfoAsync(store))["total_data_clusters"]!);
        Assert.Equal(data, (await ReadAsync($"{store}/v"))[65536..(2 * 65536)]);
        Assert.Equal(4 << 20, (await ReadAsync($"{store}/w")).Length);
    }

    [Fact]
    public async Task A_thin_volume_gets_another_parent()
    {
        var (store, _) = await StoreAsync();
        var random = new Random(1);
        foreach (string name in (string[])["a", "b"])
        {
            await CreateAsync(store, name);
            await WriteAsync($"{store}/{name}", 0, RandomBytes(random, 2 * 65536));
            await CallAsync("bdev_lvol_snapshot", $$"""{"lvol_name":"{{store}}/{{name}}","snapshot_name":"{{name}}s"}""");
        }
        byte[] own = RandomBytes(random, 512), b = await ReadAsync($"{store}/bs");
        await WriteAsync($"{store}/a", 512, own);
        byte[] expected = [.. (await ReadAsync($"{store}/a"))[..65536], .. b[65536..]];
        await CallAsync("bdev_lvol_set_parent", $$"""{"lvol_name":"{{store}}/a","parent_name":"{{store}}/bs"}""");
        Assert.Equal(expected, await ReadAsync($"{store}/a"));
        Assert.StartsWith("File exists", (await FailsAsync("bdev_lvol_set_parent", $$"""{"lvol_name":"{{store}}/a","parent_name":"{{store}}/bs"}""")).Message);
        Assert.StartsWith("Invalid argument", (await FailsAsync("bdev_lvol_set_parent", $$"""{"lvol_name":"{{store}}/a","parent_name":"{{store}}/b"}""")).Message);
        Assert.StartsWith("Invalid argument", (await FailsAsync("bdev_lvol_set_parent", $$"""{"lvol_name":"{{store}}/bs","parent_name":"{{store}}/bs"}""")).Message);
        var outside = await DiskAsync(1);
        byte[] data = RandomBytes(random, Mebibyte);
        await WriteAsync(outside.Name, 0, data);
        await CallAsync("bdev_lvol_set_parent_bdev", $$"""{"lvol_name":"{{store}}/a","parent_name":"{{outside.Name}}"}""");
        byte[] mixed = [.. expected[..65536], .. data[65536..]];
        Assert.Equal(mixed, await ReadAsync($"{store}/a"));
        Assert.Equal((true, false), ((bool)(await InfoAsync(store, "a"))["is_esnap_clone"]!, (bool)(await InfoAsync(store, "a"))["is_clone"]!));
        await CallAsync("bdev_lvol_set_parent", $$"""{"lvol_name":"{{store}}/a","parent_name":"{{store}}/bs"}""");
        Assert.Equal(expected, await ReadAsync($"{store}/a"));
        // Nobody reads through it any more.
        await WriteAsync(outside.Name, 0, own);
    }

    [Fact]
    public async Task A_shallow_copy_has_what_is_the_volumes_own()
    {
        var (store, _) = await StoreAsync();
        var random = new Random(1);
        await CreateAsync(store, "v");
        await WriteAsync($"{store}/v", 0, RandomBytes(random, 65536));
        await CallAsync("bdev_lvol_snapshot", $$"""{"lvol_name":"{{store}}/v","snapshot_name":"s"}""");
        await WriteAsync($"{store}/v", 3 * 65536, RandomBytes(random, 65536));
        var target = await DiskAsync(2);
        byte[] before = RandomBytes(random, 2 * Mebibyte);
        await WriteAsync(target.Name, 0, before);
        string copy = $$"""{"src_lvol_name":"{{store}}/v","dst_bdev_name":"{{target.Name}}"}""";
        async Task<JsonNode> EndAsync(JsonNode started)
        {
            for (int i = 0; i < 2000; i++)
            {
                var now = (await CallAsync("bdev_lvol_check_shallow_copy", started.ToJsonString()))!;
                if ((string)now["state"]! != "in progress") return now;
                await Task.Delay(5, Cancel);
            }
            throw new TimeoutException("the copy does not end");
        }
        var refused = await EndAsync((await CallAsync("bdev_lvol_start_shallow_copy", copy))!);
        Assert.Equal(("error", "Operation not permitted"), ((string)refused["state"]!, (string)refused["error"]!));
        await CallAsync("bdev_lvol_set_read_only", $$"""{"name":"{{store}}/v"}""");
        var started = (await CallAsync("bdev_lvol_start_shallow_copy", copy))!;
        Assert.Equal("""{"copied_clusters":1,"total_clusters":1,"state":"complete"}""", (await EndAsync(started)).ToJsonString());
        Assert.Equal(-19, (await FailsAsync("bdev_lvol_check_shallow_copy", started.ToJsonString())).Code);
        byte[] volume = await ReadAsync($"{store}/v");
        byte[] copied = [.. before[..(3 * 65536)], .. volume[(3 * 65536)..(4 * 65536)], .. before[(4 * 65536)..]];
        Assert.Equal(copied, await ReadAsync(target.Name));
        Assert.Equal(-19, (await FailsAsync("bdev_lvol_start_shallow_copy", $$"""{"src_lvol_name":"{{target.Name}}","dst_bdev_name":"{{target.Name}}"}""")).Code);
    }

    [Fact]
    public async Task What_a_bdev_is_made_of_is_shown()
    {
        var (store, disk) = await StoreAsync();
        await CreateAsync(store, "v");
        await CallAsync("bdev_lvol_snapshot", $$"""{"lvol_name":"{{store}}/v","snapshot_name":"s"}""");
        string uuid = (string)(await StoreInfoAsync(store))["uuid"]!;
        Assert.Equal($$"""{"lvol":{"lvol_store_uuid":"{{uuid}}","base_bdev":"{{disk.Name}}","thin_provision":true,"num_allocated_clusters":0,"snapshot":false,"clone":true,"base_snapshot":"s","esnap_clone":false} }""".Replace(" }", "}", StringComparison.Ordinal),
            await DumpAsync($"{store}/v"));
        Assert.Equal($$"""{"lvol":{"lvol_store_uuid":"{{uuid}}","base_bdev":"{{disk.Name}}","thin_provision":true,"num_allocated_clusters":0,"snapshot":true,"clone":false,"clones":["v"],"esnap_clone":false} }""".Replace(" }", "}", StringComparison.Ordinal),
            await DumpAsync($"{store}/s"));
    }

    private async Task<string> DumpAsync(string name)
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        await Host.OnAppAsync(() =>
        {
            using var writer = new Host.Rpc.Json.RpcJsonWriter(output);
            writer.BeginObject();
            Host.Registry.Find(name)!.DumpInfo(writer);
            writer.EndObject();
            writer.Complete();
        });
        return System.Text.Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
