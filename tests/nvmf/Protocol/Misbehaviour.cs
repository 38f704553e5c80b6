using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Protocol;

/// <summary>What a target may do after a fatal error of the host.</summary>
internal static class Misbehaviour
{
    /// <summary>The target must end the connection with a C2HTermReq of this status.</summary>
    public static async Task<TermReq> ExpectFatalAsync(PduConnection connection, FatalErrorStatus fes)
    {
        TermReq term = await connection.ExpectTerminationAsync();
        Assert.True(term.Fes == fes, $"FES is {term.Fes} ({(ushort)term.Fes:X2}h), should be {fes} ({(ushort)fes:X2}h); FEI {term.Fei}");
        Assert.InRange(term.Header.Plen, (uint)TermReq.Size, (uint)TermReq.MaxPlen);
        return term;
    }

    /// <summary>The same, and FEI must name this byte of the header.</summary>
    public static async Task ExpectFatalAsync(PduConnection connection, FatalErrorStatus fes, uint fei)
    {
        TermReq term = await ExpectFatalAsync(connection, fes);
        Assert.True(term.Fei == fei, $"FEI is {term.Fei}, should be {fei}");
    }
}
