using Spindle.Bdevs;
using Spindle.Blobs;
using Spindle.Blobs.Images;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Blobstore;

/// <summary>The device fails in the midst of a change: it is done or not done, and nothing else is touched.</summary>
public sealed class FailureTests(ContractHost host) : StoreTest(host)
{
    private static readonly Dictionary<string, Func<Spindle.Blobs.Blobstore, Dictionary<string, Blob>, Task>> s_changes = new()
    {
        ["create"] = (store, _) => store.CreateBlobAsync(new BlobOptions { ClusterCount = 3, Xattrs = [Named("new")] }),
        ["delete"] = (store, blobs) => store.DeleteBlobAsync(blobs["thick"]),
        ["delete a snapshot"] = (store, blobs) => store.DeleteBlobAsync(blobs["snap"]),
        ["grow"] = (store, blobs) => store.ResizeAsync(blobs["thick"], 7),
        ["shrink"] = (store, blobs) => store.ResizeAsync(blobs["thick"], 1),
        ["snapshot"] = (store, blobs) => store.SnapshotAsync(blobs["thin"], [Named("new")]),
        ["inflate"] = (store, blobs) => store.InflateAsync(blobs["thin"]),
        ["decouple"] = (store, blobs) => store.DecoupleParentAsync(blobs["thin"]),
        ["xattr"] = (store, blobs) => store.SetXattrsAsync(blobs["thick"], ("key", new byte[3000])),
        ["read-only"] = (store, blobs) => store.SetReadOnlyAsync(blobs["thick"]),
    };

    public static IEnumerable<TheoryDataRow<string>> Changes => s_changes.Keys.Select(change => new TheoryDataRow<string>(change));

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task Any_write_may_fail(string change)
    {
        bool done = false;
        for (int failing = 0; !done; failing++)
        {
            Assert.True(failing < 100, "it never succeeds");
            var open = await NewStoreAsync(512, 1 << 20);
            var blobs = await FillAsync(open);
            var disk = (MemoryDisk)(await FindAsync(open.Disk));
            var before = await ContentsAsync(open.Disk);
            int writes = 0;
            disk.Intercept = io => io.Type is BdevIoType.Write or BdevIoType.WriteZeroes or BdevIoType.Unmap && Interlocked.Increment(ref writes) == failing + 1 ? BdevIoResult.FromErrno(Errno.EIO) : null;
            try
            {
                await Host.OnAppAsync(() => s_changes[change](open.Store, blobs));
                done = writes <= failing;
            }
            catch (SpindleException e)
            {
                Assert.Equal(Errno.EIO, e.Errno);
            }
            disk.Intercept = null;
            // Another change is possible unless it is open what is on the disk.
            var another = Record.ExceptionAsync(() => CreateBlobAsync(open, "another", 1, thin: true));
            if (open.Store.Fault is null) Assert.Null(await another);
            else Assert.Equal(Errno.EIO, Assert.IsType<SpindleException>(await another).Errno);
            await CloseStoreAsync(open);
            await CloseStoreAsync(await OpenStoreAsync(open.Disk));
            Assert.Empty(await BlobstoreCheck.RunAsync(new MemoryStoreSource(await BytesAsync(open.Disk), 512)));
            var after = await ContentsAsync(open.Disk);
            foreach (var (name, content) in before)
            {
                if (!after.TryGetValue(name, out byte[]? now)) Assert.StartsWith("delete", change);
                else Assert.True(content.AsSpan(0, Math.Min(content.Length, now.Length)).SequenceEqual(now.AsSpan(0, Math.Min(content.Length, now.Length))), $"{name} has changed, write {failing} failed");
            }
            await Host.UnregisterAsync(open.Disk);
        }
    }

    [Fact]
    public async Task A_first_write_that_fails_is_not_acknowledged_and_the_next_one_succeeds()
    {
        for (int failing = 0; failing < 6; failing++)
        {
            var open = await NewStoreAsync(512, 1 << 20);
            var blobs = await FillAsync(open);
            string name = await ShowAsync(blobs["thin"]);
            var disk = (MemoryDisk)(await FindAsync(open.Disk));
            await using (var client = await OpenAsync(name))
            {
                byte[] all = await client.ReadBytesAsync(0, client.Bdev.BlockCount);
                int writes = 0;
                disk.Intercept = io => io.Type is BdevIoType.Write or BdevIoType.WriteZeroes && Interlocked.Increment(ref writes) == failing + 1 ? BdevIoResult.FromErrno(Errno.EIO) : null;
                using var buffer = new TestBuffer(512);
                buffer.Fill(7);
                var outcome = await client.WriteAsync(buffer, 40, 1);
                disk.Intercept = null;
                if (outcome.IsSuccess) buffer.ToArray().CopyTo(all, 40 * 512);
                else Assert.Equal(Errno.EIO, outcome.Result.ErrorNumber);
                Assert.Equal(all, await client.ReadBytesAsync(0, client.Bdev.BlockCount));
                if (open.Store.Fault is null) Assert.True((await client.WriteAsync(buffer, 40, 1)).IsSuccess);
            }
            await Host.UnregisterAsync(name);
            await CloseStoreAsync(open);
            await CloseStoreAsync(await OpenStoreAsync(open.Disk));
            await Host.UnregisterAsync(open.Disk);
        }
    }

    private async Task<Dictionary<string, Blob>> FillAsync(OpenStore open)
    {
        var blobs = new Dictionary<string, Blob> { ["thick"] = await CreateBlobAsync(open, "thick", 4, thin: false), ["thin"] = await CreateBlobAsync(open, "thin", 6, thin: true) };
        var random = new Random(5);
        foreach (int round in (int[])[0, 1])
        {
            foreach (var blob in blobs.Values.Where(blob => !blob.IsReadOnly).ToArray())
            {
                string name = await ShowAsync(blob);
                await using (var client = await OpenAsync(name))
                    await client.WriteBytesAsync((ulong)(round * 64), RandomBytes(random, 33 * 512));
                await Host.UnregisterAsync(name);
            }
            if (round == 0) blobs["snap"] = await Host.OnAppAsync(() => open.Store.SnapshotAsync(blobs["thin"], [Named("snap")]));
        }
        return blobs;
    }

    private async Task<byte[]> BytesAsync(string disk)
    {
        await using var client = await OpenAsync(disk, write: false);
        return await client.ReadBytesAsync(0, client.Bdev.BlockCount);
    }

    private async Task<Dictionary<string, byte[]>> ContentsAsync(string disk)
    {
        byte[] bytes = await BytesAsync(disk);
        var image = await StoreReader.ReadAsync(new MemoryStoreSource(bytes, 512));
        return image.Blobs.Values.ToDictionary(StoredImage.NameOf, blob => StoredImage.Content(image, blob, bytes));
    }
}
