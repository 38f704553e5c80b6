using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Fabrics;
using Spindle.Nvme.Registers;

namespace Spindle.Frontend.Nvmf.Commands.Fabrics;

/// <summary>Property Get and Set (NVMe Base Specification 2.0, sections 6.5 and 6.6). On the controller's thread.</summary>
internal static class PropertyCommands
{
    private static readonly StatusField s_invalid = new(FabricsStatusCode.ConnectInvalidParameters, dnr: true);

    /// <summary>Property Get.</summary>
    public static void Get(NvmfController controller, NvmfRequest request)
    {
        ref PropertyGetCommand command = ref request.Command.As<PropertyGetCommand>();
        ControllerRegisters registers = controller.Registers;
        ulong? value = (command.Size, command.Ofst) switch
        {
            (PropertySize.EightBytes, PropertyOffset.Cap) => registers.Capabilities,
            (PropertySize.FourBytes, PropertyOffset.Cap) => registers.Capabilities & uint.MaxValue,
            (PropertySize.FourBytes, PropertyOffset.Cap + 4) => registers.Capabilities >> 32,
            (PropertySize.FourBytes, PropertyOffset.Vs) => ControllerRegisters.Version.Raw,
            (PropertySize.FourBytes, PropertyOffset.Cc) => registers.Configuration.Raw,
            (PropertySize.FourBytes, PropertyOffset.Csts) => registers.Status.Raw,
            (PropertySize.FourBytes, PropertyOffset.Nssr) => 0,
            (PropertySize.FourBytes, PropertyOffset.Crto) => ControllerRegisters.ReadyTimeouts,
            _ => null,
        };
        request.Completion.Result = value ?? 0;
        request.Complete(value is null ? s_invalid : StatusField.Success);
    }

    /// <summary>Property Set.</summary>
    public static void Set(NvmfController controller, NvmfRequest request)
    {
        ref PropertySetCommand command = ref request.Command.As<PropertySetCommand>();
        if (command.Size != PropertySize.FourBytes || command.Ofst is not (PropertyOffset.Cc or PropertyOffset.Csts))
        {
            request.Complete(s_invalid);
            return;
        }
        if (command.Ofst == PropertyOffset.Csts)
        {
            // All of CSTS is read only, but for bits that this controller never sets.
            request.Complete(StatusField.Success);
            return;
        }
        ControllerTransition? transition = controller.Registers.Write((uint)command.Value);
        if (transition is null)
        {
            request.Complete(s_invalid);
            return;
        }
        controller.Begin(transition.Value);
        request.Complete(StatusField.Success);
    }
}
