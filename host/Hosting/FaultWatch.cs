using Spindle.Host.Bdevs;
using Spindle.Host.Modules;
using Spindle.Host.Reactors;

namespace Spindle.Host.Hosting;

/// <summary>Charges exceptions that came out of plugin code to the module whose code it is.</summary>
internal static class FaultWatch
{
    /// <summary>Starts to watch.</summary>
    public static void Connect(ReactorSystem reactors, BdevRegistry bdevs, ModuleHost modules)
    {
        reactors.Faulted += fault =>
        {
            if (fault.AssemblyName is { } assembly && modules.FindByAssembly(assembly) is { } module)
                modules.MarkFaulty(module, $"{fault.Where} on {fault.Thread} threw: {fault.Text}");
        };
        bdevs.ModuleFaulted += fault =>
        {
            // Without a text it is a completion that was refused: it did no harm, and is counted.
            if (fault.Text.Length > 0 && modules.Find(fault.Module) is { } module)
                modules.MarkFaulty(module, $"{fault.Where} of bdev {fault.Bdev} threw: {fault.Text}");
        };
    }
}
