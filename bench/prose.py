# ruff: noqa: RUF001 - Chinese has its own comma
"""The words of the quality pages: our own prose, so that its truth is known and it may be given away."""


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


ENGLISH = _paragraphs("""
The mill at Weidenbach began as a fulling mill in 1584. Its wheel beat woollen cloth for ninety years before
a widow named Agnes Roth bought the building, tore out the hammers and set up two vats for paper.

Rags came up the river in flat boats. Women sorted them by colour and strength, cut off buttons and seams,
and laid the heaps to rot for six weeks. Linen made the best sheets; hemp made the strongest; wool was of no
use at all.

A vatman dipped his mould, shook it once in each direction and passed it to the coucher, who turned the wet
sheet onto felt. Between them they made a post of 181 sheets before the press was screwed down. A good pair
made nine posts a day, and slept without being asked to.

In 1799 the first machine that made an endless web was patented in France. The owners of Weidenbach read of
it in a newspaper printed on their own paper, and did nothing for thirty-one years. When they ordered one at
last, it filled the whole drying loft and cost more than the mill had earned since the war.

Water was always the measure of the place. In dry summers the beaters stood still; in the flood of 1845 the
river carried off the sluice, two carts and the entire stock of writing paper. The ledger of that year is
stained to half its height, and the ink has run where the totals stood.

Wood pulp changed the smell of the valley and the life of its books. The new paper was cheap, smooth and
white, and it turned brown within a generation. Librarians have been paying for it ever since, page by page.

Today the building holds an archive. Three people scan what the mill left behind: day books, letters,
drawings of wheels, a recipe for blue that nobody has managed to repeat. Each page is photographed, turned
upright, read by a machine and looked at by a person who decides whether the machine was right.

Reading a page is two tasks. The first is to know the letters, and machines have been good at that for a
while. The second is to know what comes next: whether the eye goes down the column or across to the table,
and whether a number at the foot belongs to the sentence or to the page.
""")

FRENCH = _paragraphs("""
Le moulin à papier de la vallée fut bâti près de l'écluse, où l'eau était claire même après les orages. On y
fabriquait déjà, avant la Révolution, un papier vergé très recherché par les imprimeurs de Genève.
""")

GERMAN = _paragraphs("""
Die Mühle stand über dem Wehr, wo das Wasser auch im Sommer kräftig floss. Für größere Bögen brauchte man
zwei Schöpfer, und das Trocknen auf dem Dachboden dauerte bei schönem Wetter drei Tage.
""")

CHINESE = _paragraphs("""
造纸术是中国古代的重要发明之一。早期的纸用树皮、麻头和破布制成，先把原料切碎，再放入水中浸泡，然后反复捶打成浆。

工匠用竹帘从槽中捞起纸浆，轻轻摇动，使纤维均匀分布。湿纸一张一张叠在一起，压去水分以后，贴在墙上慢慢晾干。

纸张传到各地以后，书籍的价格大大降低，读书写字不再只是少数人的事情。到了十八世纪，欧洲的作坊也开始使用机器生产纸张。

今天，这座老作坊成了一个档案馆。工作人员把旧账本、书信和图纸逐页扫描，再由计算机识别其中的文字，最后由人核对结果。
""")

HEADINGS = ("Rags and Water", "The Endless Web", "Floods and Ledgers", "What Remains")
