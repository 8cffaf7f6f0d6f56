"""Word lists and random values shared by the sample generator and the starter's training dialogues.

Everything here is either a list of everyday words or a function that makes a
random value (a pseudo-word, a name, a date, an id) from a seeded `random.Random`.
"""

from __future__ import annotations

import random
import re
import string
import zlib
from collections.abc import Sequence


def words(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


def lines(text: str) -> list[str]:
    """The lines of a text."""
    return text.strip().split("\n")


COMMON_WORDS = words("""
a about after again all also always and another answer any are around as ask at away back bag ball bank be
because become been before begin behind best better between big bird black blue board boat book both bottle
box boy bread bring brother brown build bus but buy by cake call came can car card care carry cat chair change
check child choose city class clean clear clock close cloud coat coffee cold color come cook cool copy corner
could count country cup cut dark date day deep desk did dinner do dog done door down draw dream drink drive
dry each early earth east easy eat egg eight else end enough even evening every eye face fall family far farm
fast father feel few field fill find fine fire first fish five floor flower fly follow food foot for form four
free fresh friday friend from front fruit full game garden gave get girl give glad glass go gold good got
grass great green ground group grow had half hand happy hard has hat have he head hear heart heavy help her
here high hill him his hold home hope horse hot hour house how hundred i ice idea if in inside into is it job
join jump just keep key kind kitchen know lake lamp land large last late laugh learn leave left leg less let
letter light like line list little live long look lost lot love low lunch made make man many map market may me
mean meet meeting milk minute miss monday money month moon more morning most mother mountain move much music
must my near need never new next nice night nine no noon north not note nothing now number of off office often
old on once one only open or orange order other our out over own page paint paper parcel park part pass path
pay pen people phone pick picture piece place plan plant play please point price pull push put question quick
quiet rain read ready real red remember remind report rest return rice right ring river road room round run
sad safe said salt same saturday saw say school sea seat second see seem sell send set seven shall she shelf
shirt shoe shop short should show side sign sing sister sit six sky sleep slow small smile snow so soft some
song soon sound south spell spring stand star start station stay step still stone stop store story street
strong such sugar summer sun sunday sure swim table take talk tall tea team tell ten test than thank that the
their them then there these they thing think this three through thursday ticket time to today together
tomorrow too took top town train travel tree try tuesday turn two umbrella under until up upon us use value
very visit voice wait walk wall want warm was wash watch water way we wednesday week well went were west wet
what wheel when where which white who why wide will wind window winter wish with without woman wood word work
world would write year yellow yes yesterday you young your able message weather exchange convert currency
amount delivery status package tracking search track book reserve booking share stock current latest today
guest guests degrees sunny cloudy windy rainy shipped delivered delayed sorry error found unknown failed
problem available booked sent saved reminder done certainly happy could would anything welcome understand
assistant model training result cannot details platform departs arrives leaves arrival departure translate
translation language dictionary meaning recipe calories minutes seconds nearest address invoice customer
account balance transfer flight hotel restaurant table museum library borrow renew rate worth trading
""")

ZH_CHARS = (
    "一二三四五六七八九十百千万年月日时分秒上下左右前后里外东西南北中大小多少高低长短新旧好坏快慢早晚今明昨天"
    "人我你他她它们们的是不了在有和就也都很要会能可以请帮让给把被对从到向为与或如果因为所以但而且还再又只"
    "什么怎么哪谁几吗呢吧啊这那些个位只条张本件次家座间层号楼路街区市县省国城镇村山水江河湖海林森木石田园花草"
    "风雨雪云雷电阳光星空气温度热冷暖凉干湿春夏秋冬红黄蓝绿白黑紫金银铜铁玉珠宝龙凤虎马牛羊鸡狗猫鸟鱼"
    "王李张刘陈杨赵周吴徐孙朱胡郭何罗高梁郑谢宋唐许韩冯邓曹彭曾萧蔡潘袁于董余苏叶吕魏蒋杜丁沈姜范傅钟卢汪戴崔任陆廖"
    "姚方谭邹熊孟秦白江阎薛尹段侯邵史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤伟芳娜敏静丽强磊军洋勇艳杰娟涛超秀霞平刚桂"
    "英华玲婷宇浩然欣怡梓涵诗雨晨曦思远志明俊峰建国文博子轩嘉豪佳琪雅雪梅兰竹菊松柏晓燕海波鹏飞翔永康宁安乐福禄寿喜"
    "吃喝看听说读写走跑坐站睡起来去回进出开关买卖送收发寄取拿放找问答叫做用学教想知道觉得喜欢爱希望需忘记住提醒"
    "书笔纸包车票机票火站场店餐厅房屋门窗桌椅床灯杯盘碗茶饭菜肉蛋奶果汁糖盐酒医院学校公司银行邮局图馆超市"
    "名字姓电话号码地址日期时间价格钱元块角数量单订购物品商货快递包裹状态查询预订会议室消息短信内容备注提示"
    "谢谢客气抱歉对不起没关系再见早安晚你好您欢迎随当然已经完成成功失败错误原因正常到达出发预计目前最近附近"
    "工作项目计划报告客户老师同学朋友家人爸妈哥弟姐妹孩子先生女士经理医生律师司机员工作业考试课程比赛运动"
    "音乐电影游戏照片颜色形状面积重量长宽深浅轻重真假简单复杂重要特别一般普通方便安静热闹漂亮干净整齐努力"
    "汇率货币兑换美欧英日港币股票行情报价翻译语言词典火车次列航班酒店登录密码账户余额转账支付退款发票"
    "设置修改删除添加保存打开闭启动停止继续确认取消选择输填表格项值列顺序第末首尾每各全部分整半双单另别其"
    "助手模型训练数据参结果例题步骤方法意思解释描述回复重试试微调板写信读念讲故事笑诗歌画唱跳舞游泳爬跑球棋牌"
    "通知接待交付款齐备带领取件箱柜台窗口服务热线咨询投诉建议反馈意见签署合同文件资料打印复印扫描传真邮箱"
    "牙刷洗衣浇花遛喂猫粮缴费水费房租检查体验报名参加聚餐生礼物蛋糕拜访整理衣柜修理自行换灯泡倒垃圾拖地"
    "与世丝丢两严丹主丽举义乘习乡争互五井亚交产京亭亮亲仅介仍仔代任份休优伙伞传伤似低体何佛佩使例供便促保"
    "修倍倒候借值偏偶傍像元充免党入共兴兵具典兼册冒农冰决况准减凡凭击刀切列刘初判利别制刷刺剧剩劳势勤包化"
    "匙午卡印危即却厅厚原厦厨参及双反叔受古句另召台史司各合吉同后吐向吧含听吸员呢味呼命品哈响哦唯商善喷嗯"
    "嘴器嚏团困固国圆圈土地圳场址坊坐块坚垂型域培基堂塔境墙墨声处备复够太头夸夹奇奋奔奖套妙始委威婚存季学"
    "宁守宋完宗官定宜实审客宣室害宵密富察导封射将尊尔尾局居届岛岳岸崔川州巧差己布帅带帮常幅幕干并广庄庆应"
    "庭康延建弄引弹强归录形彩影役往径待律徒得循微德心必忆志忙快念怀态怎怕急性总恩恭恶悉情惊惠惯愉感慢慰憾"
    "懂战户房所扇手才扑托执扩扬批承技投折护招拥择持挂指按挑换据授掌排探控推描插握援搜搭摄摆摇播操支政效敢"
    "散数断施旁旅族旗无既旦旧旬昆昌昏易显晖普景晴暑暗更替权杏材束杭板构析架某查柳校株样根格桥梦梧梯检棠楚"
    "模横欧款步武段母毒毛民汉汕汽沉沙油治沿泉泊法波注泰洁洛洞津活派流浅测济浪浮消涉涨液淡深混添清温港湛湾"
    "湿源溪滑滨演漳潍澡灯炉炒点烈烟烦烧热焦煮熊燃父片版牌牙牡牢物狂狐独猪献王玩环现球理琴甚甜用田由画界留"
    "略番疑疗病症皇皮盆益盛盟直相真眼着矿码破础确祖祝祥离种秘租称移程稳究穷穿突立童端符等筑策签简算箭籍粉"
    "粒精索累约级纯线练组细终绍经绕统绩绪维绵编缘缩罗美群翻老考者聊职联聪肉肚股肤肥肩育背胜胡能脑脸腐腰自"
    "至致舍般良色艺节芜芝芽苗若苦英范茄荆草荐药荷莞获菜营落著蓝薄虎虚虫虹虽蛋行衡衣补表袋裁裤襄规视觉角解"
    "触讨让训议讯论设访证评识词试诚该详语误请诸谁调谅谈豆财责败货质贴贵费资赏赚赛赢赣赶起超趟趣足跃距跟踏"
    "踪身车转轮软载辆辈辑辛边过迎近返进远违连迟追退适选途速造遇道遗遵避邀那邮郊部配酸采释重野量金针钓钢钥"
    "钱银销锁锅锡键锻镜长门闲间闻阁队阳阴阵际降限陪随隔难集雕零雾需震青静非面革鞋页顶项须预领频题额风食饮"
    "饱饺饼馆首香验骑骨鬼魂鱼鲜鸣鹭麦麻默鼓鼠齐齿"
)
ZH_SURNAMES = (
    "王李张刘陈杨赵周吴徐孙朱胡郭何罗高梁郑谢宋唐许韩冯邓曹彭曾萧蔡潘袁董余苏叶吕魏蒋杜沈姜范傅钟卢汪戴崔任陆廖"
)
ZH_GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛超秀霞平刚桂英华玲婷宇浩欣怡涵诗晨曦远志俊峰文博轩嘉佳琪雅梅兰竹松晓燕波鹏永宁安"
)
ZH_PLACE_TAIL = "城山河湖海州江林镇桥泉原港湾岭"

_ONSETS = words("""
b c d f g h j k l m n p r s t v w y z br ch cl cr dr fl gr kr pl pr sh sl st th tr
""")
_VOWELS = words("a e i o u ai ea ei ie io oa ou")
_CODAS = ["", "", "", "l", "n", "r", "s", "t", "m", "nd", "rk", "x", "ss", "ck", "lt"]


WIDE = str.maketrans(",!?:", "\uff0c\uff01\uff1f\uff1a")
HAN = "\u4e00-\u9fff"
HALF_MARK = re.compile(rf"(?<=[{HAN}])[,!?:]|[,!?:](?=[{HAN}])")
SLOT_MARK = re.compile(rf"(?<=[{HAN}}}])[,!?:]|[,!?:](?=[{HAN}{{])")


def widen(text: str) -> str:
    """Use full-width punctuation next to Chinese characters."""
    return HALF_MARK.sub(lambda match: match.group().translate(WIDE), text)


def widen_template(text: str) -> str:
    """The same for a Chinese template, where a slot counts as a character."""
    return SLOT_MARK.sub(lambda match: match.group().translate(WIDE), text)


def is_heldout(value: str) -> bool:
    """Whether a value is kept for held-out rows: a quarter of all values is, by the checksum of their text."""
    return zlib.crc32(value.encode()) % 4 == 0


class Values:
    """Random values of many kinds, drawn from one seeded generator.

    `pieces` is an optional list of letter sequences (the tokenizer's own entries);
    a share of the pseudo-words and names is then built from them so that every entry occurs.
    """

    def __init__(self, rng: random.Random, pieces: Sequence[str] = ()) -> None:
        self.rng = rng
        self.pieces = [piece for piece in pieces if piece.islower()]
        self.heads = [piece for piece in pieces if piece.istitle()]
        self.chars = sorted(set(ZH_CHARS))

    def pseudo(self) -> str:
        """A made-up lower-case word of one to three syllables."""
        rng = self.rng
        if self.pieces and rng.random() < 0.35:
            return "".join(rng.choice(self.pieces) for _ in range(rng.choice((1, 1, 2))))
        count = rng.choice((1, 1, 2, 2, 2, 3))
        return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(count))

    def name(self) -> str:
        """One or two capitalised pseudo-words."""
        words = [self.capital() for _ in range(self.rng.choice((1, 1, 1, 2)))]
        return " ".join(words)

    def capital(self) -> str:
        """A capitalised pseudo-word."""
        rng = self.rng
        if self.heads and rng.random() < 0.35:
            return rng.choice(self.heads) + "".join(rng.choice(self.pieces) for _ in range(rng.choice((0, 1, 1, 2, 3))))
        return self.pseudo().capitalize()

    def zh_name(self) -> str:
        """A Chinese personal name, or any two or three characters."""
        rng = self.rng
        if rng.random() < 0.5:
            return rng.choice(ZH_SURNAMES) + "".join(rng.choice(ZH_GIVEN) for _ in range(rng.choice((1, 2))))
        return "".join(rng.choice(self.chars) for _ in range(rng.choice((2, 2, 3))))

    def zh_place(self) -> str:
        """A made-up Chinese place name."""
        stem = "".join(self.rng.choice(self.chars) for _ in range(self.rng.choice((1, 2))))
        return stem + (self.rng.choice(ZH_PLACE_TAIL) if self.rng.random() < 0.6 else self.rng.choice(self.chars))

    def phrase(self) -> str:
        """Two to six lower-case words."""
        rng = self.rng
        count = rng.randint(2, 6)
        return " ".join(rng.choice(COMMON_WORDS) if rng.random() < 0.85 else self.pseudo() for _ in range(count))

    def zh_phrase(self) -> str:
        """Three to nine Chinese characters."""
        return "".join(self.rng.choice(self.chars) for _ in range(self.rng.randint(3, 9)))

    def date(self) -> str:
        """An ISO date."""
        rng = self.rng
        return f"{rng.randint(1980, 2059)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"

    def time(self) -> str:
        """A clock time such as 07:45."""
        return f"{self.rng.randint(0, 23):02d}:{self.rng.randint(0, 59):02d}"

    def integer(self) -> int:
        """A whole number with one to five digits."""
        return self.rng.randint(1, 10 ** self.rng.randint(1, 5))

    def decimal(self) -> float:
        """A number with one or two decimals."""
        places = self.rng.choice((1, 2))
        return round(self.rng.uniform(0, 10 ** self.rng.randint(1, 4)), places)

    def code(self) -> str:
        """An id such as AB-4821, K739 or 55-QX."""
        rng = self.rng
        letters = "".join(rng.choice(string.ascii_uppercase) for _ in range(rng.randint(1, 4)))
        digits = "".join(rng.choice(string.digits) for _ in range(rng.randint(1, 6)))
        return rng.choice((f"{letters}-{digits}", f"{letters}{digits}", f"{letters}{digits}", f"{digits}-{letters}"))

    def letters(self) -> str:
        """Two to five capital letters."""
        return "".join(self.rng.choice(string.ascii_uppercase) for _ in range(self.rng.choice((2, 3, 3, 4, 5))))

    def email(self) -> str:
        """Something that looks like an e-mail address."""
        return f"{self.pseudo()}@{self.pseudo()}.{self.rng.choice(('com', 'org', 'net', 'cn'))}"
