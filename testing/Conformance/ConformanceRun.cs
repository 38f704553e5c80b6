using Spindle.Bdevs;

namespace Spindle.Testing;

/// <summary>One rule's run over one bdev: makes it, opens it, takes everything away again.</summary>
internal sealed class ConformanceRun(TestHost host, Func<Task<BdevSubject>> create, BdevConformance suite, Random random)
{
    private readonly List<BdevClient> _clients = [];
    private BdevSubject? _subject;

    public TestHost Host => host;
    public BdevConformance Suite => suite;
    public Random Random => random;
    public BdevSubject Subject => _subject!;

    /// <summary>The bdev as it is registered now.</summary>
    public Bdev Bdev => host.Registry.Find(Subject.Name) ?? throw new ConformanceException($"the bdev '{Subject.Name}' is not registered");
    /// <summary>Bytes of a block as the rules see it.</summary>
    public int BlockSize => (int)(Subject.HideMetadata && Bdev.MetadataInterleaved ? Bdev.BlockSize - Bdev.MetadataSize : Bdev.BlockSize);
    public BdevOpenOptions OpenOptions => new() { Write = true, HideMetadata = Subject.HideMetadata };
    public ulong Blocks => Bdev.BlockCount;
    public bool Can(BdevIoType type) => Bdev.Supports(type);

    private ZonePlaces? _places;

    /// <summary>The block at which the client may write so many: the one that is asked for, unless the bdev is zoned.</summary>
    public Task<ulong> PlaceAsync(BdevClient client, ulong asked, ulong blocks) =>
        Bdev.IsZoned ? (_places ??= new ZonePlaces(Bdev)).TakeAsync(client, blocks) : Task.FromResult(asked);

    /// <summary>How many blocks one write may have at most.</summary>
    public async Task<ulong> LongestWriteAsync(BdevClient client) => Bdev.IsZoned ? await ZonePlaces.CapacityAsync(client) : Blocks;

    /// <summary>The rule writes blocks in any order, and again in place.</summary>
    public void NeedsAnyOrder()
    {
        if (Bdev.IsZoned) throw new NotApplicableException("it is zoned, and the rule writes in any order; the rules zones.* are for it");
    }

    /// <summary>Writes to the blocks that are asked for, or, where the bdev is zoned, at the write pointer of one of its zones, which were emptied before.</summary>
    public Task<Outcome> WriteOrAppendAsync(BdevClient client, TestBuffer buffer, ulong asked, ulong blocks) =>
        Bdev.IsZoned ? client.ZoneAppendAsync(buffer, asked / blocks % ZonePlaces.AtATime(Bdev) * Bdev.ZoneSizeBlocks, blocks) : client.WriteAsync(buffer, asked, blocks);

    /// <summary>Empties all zones of a zoned bdev that is written by appends.</summary>
    public async Task EmptyForAppendsAsync(BdevClient client)
    {
        if (!Bdev.IsZoned) return;
        if (!Can(BdevIoType.ZoneAppend)) throw new NotApplicableException("it is zoned, and does not claim zone append");
        for (ulong zone = 0; zone < Bdev.ZoneCount; zone++) Check.Succeeded(await client.ZoneManagementAsync(zone * Bdev.ZoneSizeBlocks, BdevZoneAction.Reset), "reset of a zone");
    }

    /// <summary>Runs a rule on a bdev of its own.</summary>
    public async Task ExecuteAsync(ConformanceRule rule)
    {
        try
        {
            _subject = await create().WaitAsync(host.Options.Patience);
            if (rule.NeedsData && !_subject.KeepsData) throw new NotApplicableException("it keeps no data");
            Check.That(Blocks >= 256, $"the suite needs at least 256 blocks; '{Subject.Name}' has {Blocks}");
            await rule.Body(this);
            await DeleteAsync();
            await host.CheckAsync();
        }
        catch (Exception e) when (e is not NotApplicableException)
        {
            // Whatever it was, the observations tell more than a timeout does.
            string more = "";
            try { host.CheckObservations(); }
            catch (ConformanceException seen) { more = e is ConformanceException && e.Message.Contains(seen.Message, StringComparison.Ordinal) ? "" : $"{Environment.NewLine}{seen.Message}"; }
            await AbandonAsync();
            throw new ConformanceException(e switch
            {
                ConformanceException own => own.Message,
                TimeoutException => $"something did not end within {host.Options.Patience.TotalSeconds} s: an I/O, a close or a removal",
                _ => $"an exception: {e}",
            } + more);
        }
        catch (NotApplicableException)
        {
            await AbandonAsync();
            throw;
        }
    }

    /// <summary>A run of the same kind on a bdev of its own, for sequences that are tried again and again.</summary>
    public async Task<string?> TryAsync(Func<ConformanceRun, Task<string?>> attempt)
    {
        var run = new ConformanceRun(host, create, suite, random);
        string? failure = null;
        try
        {
            await run.ExecuteAsync(new ConformanceRule("", "", async inner =>
            {
                if (await attempt(inner) is { } text) throw new ConformanceException(text);
            }));
        }
        catch (ConformanceException e)
        {
            failure = e.Finding;
        }
        return failure;
    }

    public async Task<BdevClient> OpenAsync(int worker = 0, bool closeWhenRemoved = false)
    {
        var client = await BdevClient.OpenAsync(host, Subject.Name, OpenOptions, worker, closeWhenRemoved).WaitAsync(host.Options.Patience);
        lock (_clients) _clients.Add(client);
        return client;
    }

    public byte[] RandomBytes(ulong blocks)
    {
        byte[] bytes = new byte[blocks * (ulong)BlockSize];
        random.NextBytes(bytes);
        return bytes;
    }

    /// <summary>Closes all clients.</summary>
    public async Task CloseAsync()
    {
        foreach (var client in _clients) await client.DisposeAsync();
        _clients.Clear();
    }

    /// <summary>Takes the bdev away as its users do.</summary>
    public Task RemoveAsync() => (Subject.DeleteAsync?.Invoke() ?? host.UnregisterAsync(Subject.Name)).WaitAsync(host.Options.Patience);

    private async Task DeleteAsync()
    {
        await CloseAsync();
        if (host.Registry.Find(Subject.Name) is not null) await RemoveAsync();
        Check.That(host.Registry.Find(Subject.Name) is null, "it is still registered after it was deleted");
        foreach (string below in Subject.Below.Reverse()) await host.UnregisterAsync(below).WaitAsync(host.Options.Patience);
        Subject.Release?.Invoke();
        _subject = null;
    }

    /// <summary>Takes away what can be after a failure; what is stuck stays.</summary>
    private async Task AbandonAsync()
    {
        if (_subject is null) return;
        try
        {
            await DeleteAsync();
        }
        catch (Exception e) when (e is ConformanceException or TimeoutException or SpindleException)
        {
            foreach (string name in new[] { _subject!.Name }.Concat(_subject.Below))
                if (host.Registry.Find(name) is { } bdev)
                    await Task.WhenAny(host.OnAppAsync(() => host.Bdevs.RemoveAllOfAsync(bdev.ModuleName, TimeSpan.FromMilliseconds(100))), Task.Delay(host.Options.Patience));
            _subject.Release?.Invoke();
        }
    }
}
