"""Where the invented people live: their names, and numbers of ranges that are in use there."""

from dataclasses import dataclass

# One digit of a number that is free to choose. The rest of a template is fixed, spaces tell how people group it.
FREE = "#"


@dataclass(frozen=True, slots=True)
class Place:
    """A country: how its people are called and how its phones look.

    A name is `native|latin`, or just the one where both are the same; the latin form makes the address. `trunk` is the
    zero that people dial at home and drop from abroad, where there is one.
    """

    region: str
    name: str
    code: str
    trunk: str
    mobile: str
    landline: str
    given: tuple[str, ...]
    family: tuple[str, ...]


def _names(text: str) -> tuple[str, ...]:
    """The names of a comma-separated list."""
    return tuple(name.strip() for name in text.split(","))


def _place(country: str, code: str, trunk: str, mobile: str, landline: str, given: str, family: str) -> Place:
    """A row of the table."""
    region, _, name = country.partition(" ")
    return Place(region, name, code, trunk, mobile, landline, _names(given), _names(family))


PLACES = {
    place.region: place
    for place in (
        _place(
            *("GB United Kingdom", "44", "0", "7400 ######", "20 7### ####"),
            "Amelia, Oliver, Siobhán|Siobhan, George, Isla, Harry, Zoë|Zoe, Alfie, Nadia, Rhys",
            "Smith, O'Neill|ONeill, Patel, Jones, Ashworth-Hale, Okafor, Llewellyn, Khan, MacLeod, Taylor",
        ),
        _place(
            *("IE Ireland", "353", "0", "87 2## ####", "1 6## ####"),
            "Seán|Sean, Aoife, Niamh, Conor, Róisín|Roisin, Ciarán|Ciaran, Órla|Orla, Patrick",
            "O'Brien|OBrien, Ó Súilleabháin|OSuilleabhain, Murphy, Walsh, Ní Dhomhnaill|NiDhomhnaill, Byrne, Doyle",
        ),
        _place(
            *("US United States", "1", "", "917 6## ####", "212 6## ####"),
            "Emma, Liam, Olivia, Noah, Ava, Mateo, Sophia, DeShawn, Mia, Wyatt",
            "Johnson, Williams, Rodriguez, D'Angelo|DAngelo, Nguyen, Washington, Miller, Begay, Cohen, Lee",
        ),
        _place(
            *("CA Canada", "1", "", "647 6## ####", "416 6## ####"),
            "Chloé|Chloe, Lucas, Émilie|Emilie, Ethan, Maya, Étienne|Etienne, Grace, Owen",
            "Tremblay, Gagnon, MacDonald, Singh, Côté|Cote, Wong, Bélanger|Belanger, Campbell",
        ),
        _place(
            *("DE Germany", "49", "0", "151 2### ####", "30 2### ####"),
            "Jürgen|Juergen, Sophie, Lukas, Änne|Aenne, Maximilian, Käthe|Kaethe, Björn|Bjoern, Leonie",
            "Müller|Mueller, Schröder|Schroeder, Weiß|Weiss, von der Heide|vonderHeide, Yılmaz|Yilmaz, Köhler|Koehler",
        ),
        _place(
            *("FR France", "33", "0", "6 1# ## ## ##", "1 4# ## ## ##"),
            "François|Francois, Léa|Lea, Hélène|Helene, Mathis, Noémie|Noemie, Théo|Theo, Inès|Ines, Jean-Luc|JeanLuc",
            "Lefèvre|Lefevre, d'Aubigné|dAubigne, N'Diaye|NDiaye, Moreau, Bénard|Benard, Garnier, de La Tour|deLaTour",
        ),
        _place(
            *("ES Spain", "34", "", "61# ### ###", "91 2## ## ##"),
            "José María|JoseMaria, Lucía|Lucia, Iñaki|Inaki, Begoña|Begona, Álvaro|Alvaro, Núria|Nuria, Pablo",
            "García López|GarciaLopez, Muñoz|Munoz, Fernández|Fernandez, Etxeberria, Peña|Pena, Sánchez|Sanchez",
        ),
        _place(
            *("IT Italy", "39", "", "347 ### ####", "06 68## ####"),
            "Niccolò|Niccolo, Giulia, Alessandro, Chiara, Matteo, Lucrezia, Andrea, Sofia",
            "D'Amico|DAmico, Rossi, Dell'Acqua|DellAcqua, Bianchi, Esposito, Lo Presti|LoPresti, Ferrari",
        ),
        _place(
            *("NL Netherlands", "31", "0", "6 1#######", "20 6######"),
            "Sanne, Daan, Fleur, Jeroen, Femke, Thijs, Noor, Bram",
            "de Vries|deVries, van den Berg|vandenBerg, Jansen, van 't Hoff|vantHoff, Bakker, Özdemir|Ozdemir",
        ),
        _place(
            *("PL Poland", "48", "", "501 ### ###", "22 6## ## ##"),
            "Łukasz|Lukasz, Małgorzata|Malgorzata, Paweł|Pawel, Zofia, Jędrzej|Jedrzej, Agnieszka, Michał|Michal",
            "Wójcik|Wojcik, Kowalski, Wiśniewska|Wisniewska, Dąbrowski|Dabrowski, Szczęsny|Szczesny, Żak|Zak",
        ),
        _place(
            *("SE Sweden", "46", "0", "70 2## ## ##", "8 50# ### ##"),
            "Åsa|Asa, Göran|Goran, Elin, Måns|Mans, Ebba, Håkan|Hakan, Linnéa|Linnea, Oskar",
            "Sjöberg|Sjoberg, Åkesson|Akesson, Lindqvist, Björk|Bjork, Nyström|Nystrom, Hansson",
        ),
        _place(
            *("TR Türkiye", "90", "0", "532 ### ## ##", "212 3## ## ##"),
            "Ayşe|Ayse, Mehmet, Gökçe|Gokce, Çağlar|Caglar, Elif, İsmail|Ismail, Şule|Sule",
            "Yıldız|Yildiz, Öztürk|Ozturk, Kaya, Çelik|Celik, Şahin|Sahin, Demir",
        ),
        _place(
            *("ZA South Africa", "27", "0", "82 ### ####", "21 4## ####"),
            "Thandiwe, Sipho, Anneke, Lerato, Pieter, Nomvula, Kagiso, Ruan",
            "Nkosi, van der Merwe|vanderMerwe, Dlamini, Botha, Mokoena, Naidoo, Khumalo",
        ),
        _place(
            *("IN India", "91", "0", "98## ######", "11 4### ####"),
            "Aarav, Priya, Rohan, Ananya, Vikram, Lakshmi, Arjun, Kavya",
            "Sharma, Iyer, Chatterjee, Reddy, Singh, Venkataraman, Gupta",
        ),
        _place(
            *("JP Japan", "81", "0", "90 1### ####", "3 5### ####"),
            "太郎|Taro, 花子|Hanako, 健太|Kenta, さくら|Sakura, 翔|Sho, 美咲|Misaki, 大輔|Daisuke",
            "山田|Yamada, 佐藤|Sato, 鈴木|Suzuki, 髙橋|Takahashi, 渡邉|Watanabe, 小林|Kobayashi",
        ),
        _place(
            *("CN China", "86", "0", "138 #### ####", "10 6### ####"),
            "伟|Wei, 秀英|Xiuying, 芳|Fang, 敏|Min, 静|Jing, 强|Qiang, 磊|Lei",
            "王|Wang, 李|Li, 张|Zhang, 刘|Liu, 欧阳|Ouyang, 陈|Chen, 赵|Zhao",
        ),
        _place(
            *("KR South Korea", "82", "0", "10 2### ####", "2 7## ####"),
            "지훈|Jihoon, 서연|Seoyeon, 민준|Minjun, 하은|Haeun, 도윤|Doyun, 수빈|Subin",
            "김|Kim, 이|Lee, 박|Park, 최|Choi, 정|Jung, 남궁|Namgung",
        ),
        _place(
            *("BR Brazil", "55", "", "11 98### ####", "11 3### ####"),
            "João|Joao, Conceição|Conceicao, Thiago, Inês|Ines, Antônio|Antonio, Júlia|Julia, Caio",
            "dos Santos|dosSantos, Gonçalves|Goncalves, Araújo|Araujo, Magalhães|Magalhaes, Souza, Assunção|Assuncao",
        ),
        _place(
            *("AU Australia", "61", "0", "412 ### ###", "2 9### ####"),
            "Charlotte, Jack, Kirra, William, Matilda, Darcy, Jarrah, Ruby",
            "Wilson, Nguyen, Thompson, Papadopoulos, Kelly, Fitzgerald, Yunupingu",
        ),
    )
}
# More of what most accounts hold: people abroad are drawn from here, a region as often as it is named.
ABROAD = "US US IE DE DE FR FR ES IT NL PL SE TR ZA IN JP CN KR BR AU CA GB".split()
# One word is a whole name for many people.
SINGLE_NAMES = ("Björk|Bjork", "Suharto", "Pelé|Pele", "Ananda", "Sukarno", "Ye-jin|Yejin", "王菲|Faye", "Zendaya")
