using Spindle.Host.Environments;

namespace Spindle.UnitTests.Environment;

public sealed class TimerHeapTests
{
    private sealed class Node : TimerNode;

    /// <summary>Against a sorted list: additions, removals from anywhere, and taking the first.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void BehavesLikeASortedList(int seed)
    {
        var random = new Random(seed);
        var heap = new TimerHeap<Node>();
        var model = new List<Node>();
        for (var step = 0; step < 5000; step++)
        {
            switch (random.Next(5))
            {
                case 0 when model.Count > 0:
                    var any = model[random.Next(model.Count)];
                    heap.Remove(any);
                    heap.Remove(any);
                    model.Remove(any);
                    break;
                case 1 when model.Count > 0:
                    var expected = model.OrderBy(n => n.Due).ThenBy(n => n.Sequence).First();
                    Assert.Same(expected, heap.First);
                    heap.Remove(expected);
                    model.Remove(expected);
                    break;
                default:
                    var node = new Node();
                    heap.Add(node, random.Next(50));
                    model.Add(node);
                    break;
            }
            Assert.Equal(model.Count, heap.Count);
        }
    }
}
