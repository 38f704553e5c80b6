using Microsoft.Extensions.Logging.Abstractions;
using Spindle.Frontend.Nvmf.Transport;

namespace Spindle.NvmfTests.Tcp.Bench;

internal static class TestPollGroup
{
    public static NvmfPollGroup Create(TestThread thread, Action removed) => new("nvmf_tgt_poll_group_000", thread, (_, _) => removed(), NullLogger.Instance);
}
