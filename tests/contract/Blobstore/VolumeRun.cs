using System.Buffers.Binary;
using Spindle.Bdevs;
using Spindle.Blobs;
using Spindle.Blobs.Data;
using Spindle.Blobs.Format;

namespace Spindle.ContractTests.Blobstore;

/// <summary>Does random steps to a store on a disk, and to the model; what is read must be what the model says.</summary>
internal sealed class VolumeRun(TestHost host, PowerCutDisk disk, Random random, uint clusterSize)
{
    private readonly int _block = (int)disk.BlockSize;
    private readonly VolumeModel _model = new((int)(clusterSize / disk.BlockSize), disk.WriteCache);
    private readonly Dictionary<string, Blob> _blobs = [];
    private readonly Dictionary<string, string> _bdevs = [];
    private IBdevDescriptor _descriptor = null!;
    private Spindle.Blobs.Blobstore _store = null!;
    private int _names;
    private ulong _value;

    private int ClusterBlocks => (int)(clusterSize / disk.BlockSize);

    public List<VolumeStep> Steps { get; } = [];

    public async Task StartAsync() => await host.OnAppAsync(async () =>
    {
        _descriptor = host.Registry.Open(disk.Name, write: true, static (_, _, _) => { });
        _store = await Spindle.Blobs.Blobstore.CreateAsync(_descriptor, host.Environment.Memory, new BlobstoreOptions { ClusterSize = clusterSize });
    });

    public async Task StopAsync()
    {
        await HideAllAsync();
        await host.OnAppAsync(async () =>
        {
            await _store.UnloadAsync();
            _descriptor.Close();
        });
    }

    public async Task RunAsync(int count)
    {
        for (int i = 0; i < count; i++)
        {
            if (Next() is not { } step) continue;
            if (step.Kind == VolumeStepKind.Write && random.Next(3) == 0)
            {
                await BurstAsync(step);
                continue;
            }
            step.Begin = disk.Moments;
            bool done = await DoAsync(step);
            step.End = disk.Moments;
            if (!done) continue;
            Steps.Add(step);
            _model.Do(step);
        }
    }

    /// <summary>Several writes at once, to other blocks each: of clusters that are there, and of ones that come with them.</summary>
    private async Task BurstAsync(VolumeStep first)
    {
        var steps = new List<VolumeStep> { first };
        for (int tries = random.Next(2, 12); tries > 0; tries--)
            if (Next() is { Kind: VolumeStepKind.Write } other && steps.TrueForAll(step => step.Name != other.Name || step.At >= other.At + other.Count || other.At >= step.At + step.Count)) steps.Add(other);
        foreach (var step in steps) await ShowAsync(step.Name);
        foreach (var step in steps) step.Begin = disk.Moments;
        var outcomes = await Task.WhenAll(steps.Select((step, i) => SubmitAsync(step, i % 2)));
        foreach (var step in steps) step.End = disk.Moments;
        for (int i = 0; i < steps.Count; i++)
        {
            if (!await SettleAsync(steps[i], outcomes[i])) continue;
            Steps.Add(steps[i]);
            _model.Do(steps[i]);
        }
    }

    /// <summary>Reads everything and compares.</summary>
    public async Task CompareAsync()
    {
        foreach (var (name, volume) in _model.Volumes.Where(pair => pair.Value.Blocks.Length > 0))
        {
            await using var client = await host.OpenAsync(await ShowAsync(name), write: false);
            byte[] read = await client.ReadBytesAsync(0, (ulong)volume.Blocks.Length);
            for (int i = 0; i < volume.Blocks.Length; i++)
                Assert.True(Filled(read.AsSpan(i * _block, _block), volume.Blocks[i][^1]), $"block {i} of {name} reads as {BinaryPrimitives.ReadUInt64LittleEndian(read.AsSpan(i * _block)):x}, not {volume.Blocks[i][^1]:x}, after:\n{Text(Steps)}");
        }
    }

    public static string Text(IEnumerable<VolumeStep> steps) => string.Join('\n', steps);

    public static bool Filled(ReadOnlySpan<byte> block, ulong value)
    {
        for (int at = 0; at < block.Length; at += 8)
            if (BinaryPrimitives.ReadUInt64LittleEndian(block[at..]) != value) return false;
        return true;
    }

    private VolumeStep? Next()
    {
        string[] all = [.. _model.Volumes.Keys];
        string[] writable = [.. all.Where(name => !_blobs[name].IsReadOnly)];
        string Any(string[] names) => names[random.Next(names.Length)];
        int kind = random.Next(100);
        if (all.Length == 0 || (kind < 8 && all.Length < 8)) return new VolumeStep(VolumeStepKind.Create, $"v{_names++}", At: 1 + random.Next(4), Count: random.Next(4));
        if (kind >= 92) return random.Next(4) == 0 ? new VolumeStep(VolumeStepKind.Reload, "") : new VolumeStep(VolumeStepKind.Flush, "");
        if (kind >= 86) return new VolumeStep(VolumeStepKind.Delete, Any(all));
        if (kind >= 83) return new VolumeStep(VolumeStepKind.Inflate, Any(all));
        if (kind >= 80) return new VolumeStep(VolumeStepKind.Decouple, Any(all));
        if (kind >= 74 && all.Length < 10 && all.Where(name => _blobs[name].IsReadOnly).ToArray() is { Length: > 0 } snapshots)
            return new VolumeStep(VolumeStepKind.Clone, Any(snapshots), $"c{_names++}");
        if (writable.Length == 0) return null;
        string target = Any(writable);
        int blocks = _model.Volumes[target].Blocks.Length;
        if (kind >= 66 && all.Length < 10) return new VolumeStep(VolumeStepKind.Snapshot, target, $"s{_names++}");
        if (kind >= 61) return new VolumeStep(VolumeStepKind.Resize, target, At: random.Next(6));
        if (blocks == 0) return null;
        if (kind >= 52)
        {
            // Whole clusters as a rule, so that some are given back.
            int first = random.Next(blocks / ClusterBlocks), clusters = 1 + random.Next((blocks / ClusterBlocks) - first);
            bool unmap = random.Next(2) == 0 && _blobs[target].Parent is null;
            return random.Next(4) > 0 || unmap ? new VolumeStep(unmap ? VolumeStepKind.Unmap : VolumeStepKind.Zero, target, At: first * ClusterBlocks, Count: clusters * ClusterBlocks)
                : new VolumeStep(VolumeStepKind.Zero, target, At: random.Next(blocks), Count: 1);
        }
        int at = random.Next(blocks);
        return new VolumeStep(VolumeStepKind.Write, target, At: at, Count: 1 + random.Next(Math.Min(blocks - at, random.Next(3) == 0 ? 3 * ClusterBlocks : 4)), Value: ++_value << 8 | 1);
    }

    /// <summary>False when the store refused it, as it may for want of space.</summary>
    private async Task<bool> DoAsync(VolumeStep step)
    {
        try
        {
            switch (step.Kind)
            {
                case VolumeStepKind.Create:
                    _blobs[step.Name] = await host.OnAppAsync(() => _store.CreateBlobAsync(new BlobOptions
                    {
                        ClusterCount = (uint)step.At, Thin = (step.Count & 1) != 0, UseExtentTable = (step.Count & 2) == 0, Xattrs = [Named(step.Name)],
                    }));
                    return true;
                case VolumeStepKind.Snapshot:
                    _blobs[step.Other] = await host.OnAppAsync(() => _store.SnapshotAsync(_blobs[step.Name], [Named(step.Other)]));
                    return true;
                case VolumeStepKind.Clone:
                    _blobs[step.Other] = await host.OnAppAsync(() => _store.CloneAsync(_blobs[step.Name], [Named(step.Other)]));
                    return true;
                case VolumeStepKind.Inflate: await host.OnAppAsync(() => _store.InflateAsync(_blobs[step.Name])); return true;
                case VolumeStepKind.Decouple: await host.OnAppAsync(() => _store.DecoupleParentAsync(_blobs[step.Name])); return true;
                case VolumeStepKind.Delete:
                    await HideAsync(step.Name);
                    await host.OnAppAsync(() => _store.DeleteBlobAsync(_blobs[step.Name]));
                    _blobs.Remove(step.Name);
                    return true;
                case VolumeStepKind.Resize:
                    await HideAsync(step.Name);
                    await host.OnAppAsync(() => _store.ResizeAsync(_blobs[step.Name], (uint)step.At));
                    return true;
                case VolumeStepKind.Reload: await ReloadAsync(); return true;
                case VolumeStepKind.Flush when _model.Volumes.FirstOrDefault(pair => pair.Value.Blocks.Length > 0).Key is { } any: return await IoAsync(step with { Name = any });
                case VolumeStepKind.Flush: return false;
                default: return await IoAsync(step);
            }
        }
        catch (SpindleException e) when (e.Errno is Errno.ENOSPC or Errno.EBUSY or Errno.EINVAL && step.Kind is not VolumeStepKind.Reload)
        {
            return false;
        }
    }

    private async Task<bool> IoAsync(VolumeStep step) => await SettleAsync(step, await SubmitAsync(step, random.Next(2)));

    private async Task<Outcome> SubmitAsync(VolumeStep step, int worker)
    {
        await using var client = await host.OpenAsync(await ShowAsync(step.Name), worker: worker);
        using var buffer = new TestBuffer(Math.Max(1, step.Count) * _block);
        if (step.Kind == VolumeStepKind.Write)
        {
            byte[] data = new byte[step.Count * _block];
            for (int i = 0; i < data.Length; i += 8) BinaryPrimitives.WriteUInt64LittleEndian(data.AsSpan(i), step.Value);
            buffer.Set(data);
        }
        return step.Kind switch
        {
            VolumeStepKind.Write => await client.WriteAsync(buffer, (ulong)step.At, (ulong)step.Count),
            VolumeStepKind.Zero => await client.WriteZeroesAsync((ulong)step.At, (ulong)step.Count),
            VolumeStepKind.Unmap => await client.UnmapAsync((ulong)step.At, (ulong)step.Count),
            _ => await client.FlushAsync(0, client.Bdev.BlockCount),
        };
    }

    private async Task<bool> SettleAsync(VolumeStep step, Outcome outcome)
    {
        if (outcome.IsSuccess) return true;
        Assert.True(outcome.Result.ErrorNumber == Errno.ENOSPC, $"{step}: {outcome}");
        // Part of it may have been written before the space came to its end: it is overwritten by what fits, so that it is known again.
        await using var client = await host.OpenAsync(await ShowAsync(step.Name), write: false);
        byte[] now = await client.ReadBytesAsync((ulong)step.At, (ulong)step.Count);
        for (int i = 0; i < step.Count; i++)
        {
            var values = _model.Volumes[step.Name].Blocks[step.At + i];
            if (Filled(now.AsSpan(i * _block, _block), values[^1])) continue;
            Assert.True(Filled(now.AsSpan(i * _block, _block), step.Value), $"{step}: block {i} is neither as before nor as written");
            var part = step with { At = step.At + i, Count = 1 };
            (part.Begin, part.End) = (step.Begin, disk.Moments);
            Steps.Add(part);
            _model.Do(part);
        }
        return false;
    }

    private async Task ReloadAsync()
    {
        await HideAllAsync();
        await host.OnAppAsync(async () =>
        {
            await _store.UnloadAsync();
            _store = await Spindle.Blobs.Blobstore.LoadAsync(_descriptor, host.Environment.Memory);
        });
        _blobs.Clear();
        foreach (var blob in _store.Blobs) _blobs[StoredImage.NameOf(blob.Record)] = blob;
        Assert.Equal(_model.Volumes.Keys.Order(), _blobs.Keys.Order());
    }

    private async Task<string> ShowAsync(string name)
    {
        if (_bdevs.TryGetValue(name, out string? shown)) return shown;
        shown = TestHost.NewName("volume");
        await host.RegisterAsync(new BlobBdev(shown, "Test blob", _blobs[name], Guid.NewGuid()));
        return _bdevs[name] = shown;
    }

    private async Task HideAsync(string name)
    {
        if (_bdevs.Remove(name, out string? shown)) await host.UnregisterAsync(shown);
    }

    private async Task HideAllAsync()
    {
        foreach (string name in _bdevs.Keys.ToArray()) await HideAsync(name);
    }

    private static BlobXattr Named(string name) => new("name", System.Text.Encoding.UTF8.GetBytes(name + '\0'));
}
