using Spindle.Nvme.Commands;

namespace Spindle.Frontend.Nvmf.Transport;

/// <summary>What data a command moves, as far as its opcode and SGL tell: what a transport needs to know before it fetches or sends any.</summary>
/// <param name="Direction">None also where the SGL's length is 0. Bidirectional never: such commands are rejected when executed, without data.</param>
/// <param name="Length">Bytes, as the first SGL descriptor says; 0 when there is no data.</param>
/// <param name="MaxLength">Bytes that the transport may move for this command; a longer one is to be rejected with Data SGL Length Invalid.</param>
public readonly record struct NvmfDataTransfer(DataTransferDirection Direction, uint Length, uint MaxLength);
