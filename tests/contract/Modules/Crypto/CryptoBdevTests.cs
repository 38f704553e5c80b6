using Spindle.Bdevs;
using Spindle.ContractTests.Harness;
using Spindle.ContractTests.Suite;
using Spindle.Host.Bdevs;
using Spindle.Memory;
using Spindle.Rpc;

namespace Spindle.ContractTests.Modules.Crypto;

public sealed class CryptoBdevTests(ContractHost host) : CryptoTest(host)
{
    [Theory]
    [InlineData(512u)]
    [InlineData(4096u)]
    public async Task What_lies_on_the_base_is_what_spdk_would_write(uint blockSize)
    {
        var disk = await MallocAsync(blockSize: blockSize);
        string key = ContractHost.NewName("key"), name = Track(ContractHost.NewName("crypto"));
        await MakeKeyAsync(key);
        await CreateAsync(disk.Name, name, key);
        var client = await OpenAsync(name);
        byte[] plain = RandomBytes(new Random(5), 100 * blockSize);
        await client.WriteBytesAsync(17, plain);
        Assert.Equal(plain, await client.ReadBytesAsync(17, 100));
        var below = await OpenAsync(disk.Name, write: false);
        byte[] expected = ReferenceXts.EncryptDisk(Convert.FromHexString(Key1), Convert.FromHexString(Key2), 17, (int)blockSize, plain);
        Assert.Equal(expected, await below.ReadBytesAsync(17, 100));
        await client.DisposeAsync();
        await DeleteAsync(name);
        await DestroyKeyAsync(key);
    }

    [Fact]
    public async Task Another_key_reads_noise()
    {
        var disk = await MallocAsync();
        string key = ContractHost.NewName("key"), other = ContractHost.NewName("key"), name = Track(ContractHost.NewName("crypto"));
        await MakeKeyAsync(key);
        await MakeKeyAsync(other, Key2, Key1);
        byte[] plain = new byte[16 * 512];
        await CreateAsync(disk.Name, name, key);
        await using (var client = await OpenAsync(name)) await client.WriteBytesAsync(0, plain);
        await DeleteAsync(name);
        await CreateAsync(disk.Name, name, other);
        await using (var client = await OpenAsync(name))
        {
            byte[] noise = await client.ReadBytesAsync(0, 16);
            Assert.Equal(16 * 512 / 16, noise.Chunk(16).Count(block => block.Any(b => b != 0)));
        }
        await DeleteAsync(name);
        await CreateAsync(disk.Name, name, key);
        await using (var client = await OpenAsync(name)) Assert.Equal(plain, await client.ReadBytesAsync(0, 16));
        await DeleteAsync(name);
        await DestroyKeyAsync(key);
        await DestroyKeyAsync(other);
    }

    [Fact]
    public async Task Two_bdevs_with_keys_of_their_own_do_not_mix()
    {
        var first = await Subjects.CryptoAsync(Host, await MallocAsync());
        var second = await Subjects.CryptoAsync(Host, await MallocAsync(), keySize: 16);
        var clients = new[] { await OpenAsync(first.Name), await OpenAsync(second.Name, worker: 1) };
        var random = new Random(6);
        byte[][] data = [RandomBytes(random, 256 * 512), RandomBytes(random, 256 * 512)];
        await Task.WhenAll(clients.Select((client, i) => Task.Run(async () =>
        {
            for (ulong at = 0; at < 256; at += 8) await client.WriteBytesAsync(at, data[i][(int)(at * 512)..(int)((at + 8) * 512)]);
            Assert.Equal(data[i], await client.ReadBytesAsync(0, 256));
        })));
        foreach (var client in clients) await client.DisposeAsync();
        await first.DeleteAsync!();
        await second.DeleteAsync!();
    }

    [Fact]
    public async Task Vectors_may_be_split_inside_blocks_and_a_writers_data_is_left_as_it_is()
    {
        var disk = await MallocAsync(blocks: 512);
        var crypto = await Subjects.CryptoAsync(Host, disk);
        var client = await OpenAsync(crypto.Name);
        int seed = Environment.TickCount;
        var random = new Random(seed);
        for (int round = 0; round < 50; round++)
        {
            int blocks = random.Next(1, 200);
            ulong at = (ulong)random.Next(0, 512 - blocks);
            byte[] data = RandomBytes(random, (ulong)blocks * 512);
            using var write = new TestBuffer(TestBuffer.OddSplit(random, blocks * 512, random.Next(1, 40)), random.Next(16));
            using var read = new TestBuffer(TestBuffer.OddSplit(random, blocks * 512, random.Next(1, 40)), random.Next(16));
            write.Set(data);
            Assert.True((await client.WriteAsync(write, at, (ulong)blocks)).IsSuccess);
            Assert.True(data.AsSpan().SequenceEqual(write.ToArray()), $"seed {seed}: the data to be written was changed");
            Assert.True((await client.ReadAsync(read, at, (ulong)blocks)).IsSuccess);
            Assert.True(data.AsSpan().SequenceEqual(read.ToArray()), $"seed {seed}, round {round}: {blocks} blocks at {at}");
        }
        await client.DisposeAsync();
        await crypto.DeleteAsync!();
    }

    [Fact]
    public async Task With_no_buffer_left_in_the_pools_writes_go_on_through_two_of_them()
    {
        var crypto = await Subjects.CryptoAsync(Host, await Subjects.CryptoAsync(Host, await MallocAsync()));
        foreach (string below in crypto.Below.Skip(1)) Track(below);
        Track(crypto.Name);
        var client = await OpenAsync(crypto.Name);
        IIobufChannel? hog = null;
        var held = new List<IoVec>();
        await client.OnThreadAsync(() =>
        {
            hog = Host.Iobuf.CreateChannel("hog", 0, 0);
            foreach (uint size in new[] { Host.Iobuf.SmallBufferSize, Host.Iobuf.LargeBufferSize })
                while (hog.TryGet(size, out var buffer)) held.Add(buffer);
        });
        byte[] data = RandomBytes(new Random(7), 256 * 512);
        await Task.WhenAll(Enumerable.Range(0, 32).Select(i => client.WriteBytesAsync((ulong)i * 8, data[(i * 4096)..((i + 1) * 4096)])).Append(client.WriteBytesAsync(0, data)))
            .WaitAsync(TimeSpan.FromSeconds(30), Cancel);
        await client.OnThreadAsync(() =>
        {
            foreach (var buffer in held) hog!.Put(buffer);
            hog!.Dispose();
        });
        Assert.Equal(data, await client.ReadBytesAsync(0, 256));
    }

    [Fact]
    public async Task It_says_what_it_is_and_derives_the_identity_that_spdk_derives()
    {
        // RFC 9562, 5.5, over the name space that SPDK's crypto bdevs use; computed independently with Python's uuid.uuid5 on the raw bytes.
        string lower = ContractHost.NewName("disk"), key = ContractHost.NewName("key"), name = ContractHost.NewName("crypto");
        await Subjects.MallocAsync(Host, new() { Name = Track(lower), NumBlocks = 64, BlockSize = 512, Uuid = Guid.Parse("11112222-3333-4444-5555-666677778888") });
        await MakeKeyAsync(key);
        Assert.Equal($"\"{name}\"", await CreateAsync(lower, name, key));
        var bdev = Host.Registry.Find(name)!;
        Assert.Equal(Guid.Parse(DerivedUuid), bdev.Uuid);
        Assert.Equal("crypto", bdev.ProductName);
        var text = new TextWriterOfRpc();
        bdev.DumpInfo(text);
        Assert.Equal($"crypto={{ base_bdev_name={lower} name={name} key_name={key} }}", text.ToString());
        var saved = await Host.Modules.SavedAsync(Host.Modules.Crypto);
        string[] own = [$"accel_crypto_key_create name={key} cipher=AES_XTS deferred=true", $"bdev_crypto_create base_bdev_name={lower} name={name} key_name={key}"];
        Assert.Equal(own, saved.Where(own.Contains)); // the keys first
        Assert.False(bdev.Supports(BdevIoType.WriteZeroes) || bdev.Supports(BdevIoType.Copy) || bdev.Supports(BdevIoType.Compare) || bdev.Supports(BdevIoType.SeekData));
        await DeleteAsync(name);
        await DestroyKeyAsync(key);
    }

    private const string DerivedUuid = "6cb330b8-acf8-5d25-9b42-872cab9e243d";

    [Fact]
    public async Task A_deferred_key_and_a_missing_base_are_waited_for()
    {
        string lower = ContractHost.NewName("later"), key = ContractHost.NewName("key"), name = Track(ContractHost.NewName("crypto"));
        await CallAsync("accel_crypto_key_create", $$"""{"name":"{{key}}","cipher":"AES_XTS","deferred":true}""");
        Assert.Contains($"\"{key}\",\"cipher\":\"AES_XTS\",\"deferred\":true", await CallAsync("accel_crypto_keys_get", "{}"));
        await CreateAsync(lower, name, key);
        await MallocAsync(lower);
        await Host.OnAppAsync(() => Host.Registry.WaitForExamineAsync());
        Assert.Null(Host.Registry.Find(name));
        await MakeKeyAsync(key);
        Assert.NotNull(Host.Registry.Find(name));
        var client = await OpenAsync(name);
        await client.WriteBytesAsync(0, new byte[512]);
        await client.DisposeAsync();
        await DeleteAsync(name);
        await DestroyKeyAsync(key);
    }

    [Fact]
    public async Task Keys_given_with_the_bdev_go_with_it()
    {
        var disk = await MallocAsync();
        string name = Track(ContractHost.NewName("crypto"));
        string Call(string cipher, string key2) => $$"""{"base_bdev_name":"{{disk.Name}}","name":"{{name}}","cipher":"{{cipher}}","key":"{{Key1}}","key2":"{{key2}}","crypto_pmd":"x"}""";
        foreach (var (call, expected) in new[]
        {
            (Call("AES_CBC", Key2), "cipher AES_CBC is not supported"), (Call("AES_XTS", Key1), "key and key2 are the same"),
            ($$"""{"base_bdev_name":"{{disk.Name}}","name":"{{name}}"}""", "give key_name"), ($$"""{"base_bdev_name":"{{disk.Name}}","name":"{{name}}","key":"{{Key1}}"}""", "AES_CBC is not supported"),
        })
        {
            string message = await RefusedAsync(() => CallAsync("bdev_crypto_create", call), RpcErrorCode.InternalError);
            Assert.StartsWith("No key was found", message);
            Assert.Contains(expected, message);
        }
        await CallAsync("bdev_crypto_create", Call("AES_XTS", Key2));
        Assert.Equal($$"""[{"name":"{{name}}_AES_XTS","cipher":"AES_XTS"}]""", await CallAsync("accel_crypto_keys_get", $$"""{"key_name":"{{name}}_AES_XTS"}"""));
        await DeleteAsync(name);
        Assert.DoesNotContain(name, await CallAsync("accel_crypto_keys_get", "{}"));
    }

    [Fact]
    public async Task What_does_not_fit_is_refused_and_leaves_nothing()
    {
        string key = ContractHost.NewName("key");
        var disk = await MallocAsync();
        await MakeKeyAsync(key);
        Assert.StartsWith("Key was not found", await RefusedAsync(() => CreateAsync(disk.Name, "c", "nobodys"), RpcErrorCode.InvalidParams));
        Assert.Equal(Errno.EEXIST, (await Assert.ThrowsAsync<SpindleException>(() => CreateAsync(disk.Name, disk.Name, key))).Errno);
        Assert.Equal(Errno.EINVAL, (await Assert.ThrowsAsync<SpindleException>(() => CreateAsync(disk.Name, "", key))).Errno);
        Assert.Equal(Errno.ENODEV, (await Assert.ThrowsAsync<SpindleException>(() => DeleteAsync("nobodys"))).Errno);
        foreach (var metadata in new[] { await MallocAsync(metadata: 8), await MallocAsync(metadata: 8, dif: 1) })
            Assert.Contains("metadata", (await Assert.ThrowsAsync<SpindleException>(() => CreateAsync(metadata.Name, "c", key))).Message);
        Assert.Equal(BdevClaimType.None, BdevRegistry.GetClaim(Host.Registry.Find(disk.Name)!).Type);
        await DestroyKeyAsync(key);
    }

    [Fact]
    public async Task It_goes_with_its_base_under_load_and_comes_back()
    {
        string key = ContractHost.NewName("key"), lower = ContractHost.NewName("disk"), name = Track(ContractHost.NewName("crypto"));
        await MakeKeyAsync(key);
        var disk = await MallocAsync(lower);
        await CreateAsync(lower, name, key);
        var clients = new[] { await OpenAsync(name, closeWhenRemoved: true), await OpenAsync(name, worker: 1, closeWhenRemoved: true) };
        using var buffer = new TestBuffer(8 * 512);
        using var target = new TestBuffer(8 * 512);
        var load = clients.Select(client => Task.Run(async () =>
        {
            while ((await client.WriteAsync(buffer, 8, 8)).IsSuccess && (await client.ReadAsync(target, 100, 8)).IsSuccess) { }
        })).ToArray();
        await disk.DeleteAsync!().WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        await Task.WhenAll(load).WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        await Eventually.IsTrueAsync(() => Host.Registry.Find(name) is null, "the crypto bdev to go");
        await MallocAsync(lower);
        await Eventually.IsTrueAsync(() => Host.Registry.Find(name) is not null, "the crypto bdev to come back");
        await DeleteAsync(name);
        await DestroyKeyAsync(key);
    }

    [Fact]
    public async Task It_grows_with_its_base()
    {
        var lower = await Subjects.NullAsync(Host, new() { Name = Track(ContractHost.NewName("null")), NumBlocks = 2048, BlockSize = 512 });
        var crypto = await Subjects.CryptoAsync(Host, lower);
        var client = await OpenAsync(crypto.Name);
        await lower.GrowAsync!(2048);
        await Eventually.IsTrueAsync(() => client.Bdev.BlockCount == 4096 && client.Events.Contains(BdevEventType.Resize), "the new size");
        await client.WriteBytesAsync(4095, new byte[512]);
        await client.DisposeAsync();
        await crypto.DeleteAsync!();
    }
}
