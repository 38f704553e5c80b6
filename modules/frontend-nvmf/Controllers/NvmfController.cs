using Spindle.Frontend.Nvmf.Transport;

namespace Spindle.Frontend.Nvmf.Controllers;

/// <summary>A controller: what a host connected to. Its state is used on its thread only, which is that of its admin queue's poll group.</summary>
internal sealed class NvmfController
{
    internal void AbandonEvents(NvmfQueuePair queuePair) { }

    internal void OnQueuePairDrained(NvmfQueuePair queuePair) { }
}
