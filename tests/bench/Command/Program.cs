using System.Text;
using Spindle.Bench;
using Spindle.Bench.Command;

Console.OutputEncoding = Encoding.UTF8;
try
{
    return await BenchCommand.Create().Parse(args).InvokeAsync();
}
catch (BenchException e)
{
    Console.Error.WriteLine($"bench: {e.Message}");
    return 2;
}
