using Spindle.Frontend.Nvmf.Transport;

namespace Spindle.Frontend.Nvmf.Target;

/// <summary>The addresses at which transports listen, each counted by the subsystems that use it. On the app thread.</summary>
internal sealed class ListenerSet
{
    private readonly List<Entry> _entries = [];
    private readonly SemaphoreSlim _gate = new(1, 1);

    /// <summary>Listens at an address, or counts one more user of it.</summary>
    /// <returns>The address as the transport gave it.</returns>
    public async Task<NvmfTransportAddress> AddAsync(NvmfTransport transport, NvmfTransportAddress address)
    {
        await _gate.WaitAsync();
        try
        {
            Entry? entry = Find(transport, address);
            if (entry is null)
            {
                entry = new Entry(transport, await transport.ListenAsync(address, CancellationToken.None));
                _entries.Add(entry);
            }
            entry.Users++;
            return entry.Address;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>One user less; the last one ends the listening.</summary>
    public async Task RemoveAsync(NvmfTransport transport, NvmfTransportAddress address)
    {
        await _gate.WaitAsync();
        try
        {
            Entry? entry = Find(transport, address);
            if (entry is null || --entry.Users > 0) return;
            _entries.Remove(entry);
            await transport.StopListeningAsync(entry.Address);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Ends all listening.</summary>
    public async Task StopAllAsync()
    {
        await _gate.WaitAsync();
        try
        {
            Entry[] all = [.. _entries];
            _entries.Clear();
            foreach (Entry entry in all) await entry.Transport.StopListeningAsync(entry.Address);
        }
        finally
        {
            _gate.Release();
        }
    }

    private Entry? Find(NvmfTransport transport, NvmfTransportAddress address) => _entries.Find(e => e.Transport == transport && e.Address.Matches(address));

    private sealed class Entry(NvmfTransport transport, NvmfTransportAddress address)
    {
        public NvmfTransport Transport { get; } = transport;
        public NvmfTransportAddress Address { get; } = address;
        public int Users { get; set; }
    }
}
