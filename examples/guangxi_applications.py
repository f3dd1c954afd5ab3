"""What guangxi-systems.xlsx says beyond examples/guangxi.yaml: names of applications, how far each area is.

From the seed paper (《广西电子政务外网建设与应用情况》, part five of the fourth seed document) are the counts
(35 national applications, 88 of the region), the names marked in FROM_THE_PAPER, the units marked in
COLOCATED_BY_NAME and AGREED_BY_NAME, and which cities and counties had finished their networks. All other
names, and every stage, date, number and flag of a system, are invented for the example.
"""

NATIONAL_COUNT = 35  # 国家层面，纵向全国性应用总数达到 35 项
REGIONAL_COUNT = 88  # 自治区层面，承载的业务应用总数达 88 项
LEAST_COLOCATED = 22  # 20 多个单位利用政务外网机房环境实现设备托管
CITIES_WITHOUT_NETWORK = ("450600", "451000", "451400")  # 其余 11 个市完成了市级横向网络建设
COUNTIES_DONE = (  # 岑溪市、藤县、平桂、八步、昭平、钟山、富川、江南区、武宣
    "450481", "450422", "451103", "451102", "451121", "451122", "451123", "450105", "451323",
)  # fmt: skip
COUNTIES_STARTED = ("450125", "451222", "451225")  # 上林县、天峨、罗城已经启动

# 公安厅、商务厅、档案局、民语委等；是哪个系统，材料没有说。
# Of these units; which of their systems is not said.
COLOCATED_BY_NAME = ("gx-police-exit", "gx-commerce-ports", "gx-archives-integrated", "gx-language-terms")
# 人大常委会办公厅、检察院、旅发委、信访局、工商局、统计局、扶贫办、出入境管理局、测绘局：已签署外网业务应用
# 协议，全部或部分应用迁移部署。按今天的机构对应。
AGREED_BY_NAME = (
    "gx-congress-deputies", "gx-procuratorate-cases", "gx-culture-sharing", "gx-letters-online",
    "gx-market-entities", "gx-statistics-economy", "gx-agriculture-poverty", "gx-police-exit",
    "gx-nature-mapping",
)  # fmt: skip
FROM_THE_PAPER = frozenset(
    """gx-weather-warning gx-justice-video gx-justice-collab gx-market-prices gx-development-national
    gx-development-online gx-development-energy gx-letters-online gx-supervision-conduct gx-culture-sharing
    gx-agriculture-national
    gx-gov-office-disclosure gx-gov-office-grassroots gx-bigdata-services gx-gov-office-portal
    gx-development-projects gx-development-video gx-emergency-video gx-gulf-business gx-housing-market
    gx-health-vertical gx-forestry-vertical gx-disabled-vertical gx-development-bidding
    gx-politics-law-order gx-weather-information gx-agriculture-poverty gx-archives-integrated
    gx-police-exit gx-development-approval gx-nature-mapping""".split()
)

# Beside the ten of guangxi.yaml. The paper names the first; of the next six it names the unit only.
NATIONAL = """
gx-agriculture-national 扶贫办综合业务系统
gx-ethnic-national 民族事务全国纵向业务系统
gx-health-national 卫生健康全国纵向业务系统
gx-transport-railway 铁路监督管理全国纵向业务系统
gx-politics-law-national 综治工作全国联网系统
gx-cipher-national 密码管理全国纵向业务系统
gx-emergency-disaster 灾情信息全国报送系统
gx-education-national 教育管理全国纵向业务系统
gx-science-national 科技计划全国管理系统
gx-civil-national 社会救助全国纵向业务系统
gx-ecology-national 生态环境监测全国联网系统
gx-water-national 水资源监控全国联网系统
gx-veterans-national 退役军人服务全国纵向业务系统
gx-audit-national 审计管理全国纵向业务系统
gx-medical-national 医疗保障全国纵向业务系统
gx-drug-national 药品监管全国纵向业务系统
gx-grain-national 粮食储备全国监管系统
gx-survey-national 统计调查全国联网直报系统
gx-quake-national 地震信息全国共享系统
gx-fire-national 消防监督全国纵向业务系统
gx-mines-national 矿山安全监察全国联网系统
gx-post-national 邮政监管全国纵向业务系统
gx-maritime-national 海事管理全国纵向业务系统
gx-telecom-national 通信管理全国纵向业务系统
gx-bank-national 金融统计全国纵向业务系统
"""
REGIONAL = """
gx-organization-learning 干部在线学习平台
gx-publicity-civic 精神文明建设管理系统
gx-social-work-volunteers 志愿服务管理系统
gx-cyberspace-warning 网络安全通报预警平台
gx-establishment-rolls 机构编制实名制管理系统
gx-industry-monitoring 工业运行监测系统
gx-foreign-travel 因公出国(境)管理系统
gx-assets-oversight 国资在线监管系统
gx-broadcast-monitoring 广播电视监测系统
gx-sport-venues 公共体育服务平台
gx-offices-vehicles 公务用车管理平台
gx-investment-projects 招商引资项目管理系统
gx-prison-openness 狱务公开平台
gx-rehab-business 戒毒业务管理系统
gx-marine-observation 海洋观测数据平台
gx-energy-monitoring 能源运行监测系统
gx-disease-warning 传染病监测预警系统
gx-tcm-services 中医药服务管理系统
gx-sugar-data 糖业数据平台
gx-union-members 职工服务平台
gx-youth-volunteers 青年志愿服务系统
gx-women-services 妇女儿童维权服务系统
gx-sciassoc-science 科普服务平台
gx-redcross-training 应急救护培训管理系统
gx-party-school-training 干部网络培训系统
gx-gazetteer-library 方志资源库
gx-coop-supplies 农资服务平台
gx-geology-records 地质资料管理系统
gx-reservoir-settlement 移民安置管理信息系统
gx-exams-admission 招生考试管理系统
gx-cdc-immunisation 免疫规划信息系统
gx-library-digital 数字图书馆
gx-hospital-online 互联网诊疗平台
gx-roads-maintenance 公路养护管理系统
gx-insurance-handling 社会保险经办系统
gx-housing-fund-business 住房公积金管理系统
gx-digital-operations 政务云运营支撑系统
"""
# Departments without an application above: sites that were merged, old systems switched off, new ones begun.
MERGED_SITES = """gx-organs-committee gx-veteran-cadres gx-counsellors gx-overseas gx-arts gx-social-science
    gx-business gx-trade gx-law-society gx-family gx-party-history gx-social-academy gx-museum gx-agri-academy
    gx-academy""".split()
RETIRED = (
    "gx-rail-court",
    "gx-maritime-court",
    "gx-rail-procuratorate",
    "nn-office",
    "gl-office",
    "yl-office",
)
BEGUN = """
gx-daily-media 融媒体生产平台
gx-tv-broadcast 应急广播平台
gx-invest-reporting 国企数据报送系统
gx-port-logistics 港口物流信息平台
gx-expressway-traffic 高速公路路网监测系统
gx-gulf-invest-reporting 国企数据报送系统
gx-airport-guarantee 航空保障信息平台
gx-farming-tracing 农垦产品追溯系统
"""
# Owners of classified systems: only the count is told. A second time: two of them.
CLASSIFIED = """gx-party-office gx-party-office gx-united-front gx-policy-research gx-finance-office
    gx-inspection gx-taiwan gx-secrecy gx-secrecy gx-mobilization gx-border gx-supervision gx-police
    gx-police gx-cipher gx-organization gx-gov-office gx-foreign""".split()
WITHOUT_DECISION = frozenset({"gx-taiwan", "gx-border", "bs-office", "cz-office"})  # said so, never decided

# Systems of every city: whose, which, name, MLPS level, category, network zone.
CITY = (
    ("bigdata", "exchange", "数据共享交换平台", 3, "基础平台", "public"),
    ("bigdata", "credit", "公共信用信息平台", 3, "基础平台", "public"),
    ("bigdata", "services", "一体化政务服务平台", 3, "政务服务", "internet"),
    ("office", "portal", "人民政府门户网站", 3, "网站", "internet"),
    ("office", "collab", "协同办公系统", 2, "协同办公", "public"),
    ("office", "supervision", "政务督查系统", 2, "政务督查", "public"),
    ("office", "video", "视频会议系统", 2, "视频会议", "public"),
    ("office", "emergency", "综合应急平台", 3, "应急", "dedicated"),
    ("edu", "enroll", "义务教育招生系统", 2, "教育", "internet"),
    ("edu", "resources", "教育资源公共服务平台", 2, "教育", "internet"),
    ("health", "platform", "全民健康信息平台", 3, "卫生健康", "dedicated"),
    ("health", "appointment", "预约诊疗服务系统", 2, "卫生健康", "internet"),
)
# Systems of every county; a county has an education bureau or a health bureau here, see guangxi.yaml.
COUNTY = (
    ("office", "portal", "人民政府门户网站", 2, "网站", "internet"),
    ("office", "collab", "协同办公系统", 2, "协同办公", "public"),
    ("office", "services", "政务服务大厅系统", 2, "政务服务", "public"),
    ("edu", "enroll", "义务教育招生系统", 2, "教育", "public"),
    ("health", "records", "居民健康档案系统", 2, "卫生健康", "dedicated"),
    ("culture", "tourism", "文化旅游服务平台", 2, "政务服务", "internet"),
    ("finance", "office", "财政办公系统", 2, "协同办公", "public"),
    ("ethnic", "library", "民族文化资料库", 2, "主题库", "public"),
)
# How far: share on the cloud of the systems of the city itself and of its counties, in percent. Invented, but
# the three cities whose networks were not finished are last; Hezhou, whose counties all had, is first.
PACE_PERCENT = {
    "450000": (80, 0),
    "450100": (100, 88),
    "450200": (92, 75),
    "450300": (75, 55),
    "450400": (67, 50),
    "450500": (67, 58),
    "450600": (25, 18),
    "450700": (50, 40),
    "450800": (58, 45),
    "450900": (58, 48),
    "451000": (25, 14),
    "451100": (100, 95),
    "451200": (42, 30),
    "451300": (42, 28),
    "451400": (17, 8),
}
# Where the rest stands, in percent of the rest.
REST_AHEAD = {"trial": 40, "migrating": 30, "agreed": 20, "planned": 10}
REST_MIDDLE = {
    "trial": 15,
    "migrating": 20,
    "agreed": 20,
    "planned": 15,
    "assessed": 10,
    "classified": 10,
    "registered": 10,
}
REST_BEHIND = {
    "migrating": 10,
    "agreed": 10,
    "planned": 15,
    "assessed": 15,
    "classified": 20,
    "registered": 30,
}

# Told apart from the shares: what the story of the lab builds, and what may stay off the cloud until a day.
ACCEPTED = ("gx-finance-budget", "gx-finance-assets", "nn-qingxiu-edu-enroll")
ZONE_IN_THE_STORY = {"gx-finance-budget": "dedicated", "gx-finance-assets": "dedicated"}
EXEMPT_UNTIL = {
    "gx-broadcast-monitoring": "2027-12-31",
    "gx-marine-observation": "2027-06-30",
    "gx-prison-openness": "2026-12-31",
    "lz-office-emergency": "2026-06-30",
    "gl-health-platform": "2027-03-31",
}
EXEMPTION_ASKED = ("gx-roads-maintenance", "gx-geology-records", "bh-office-emergency")
SPLIT_FROM = {
    "nn-health-appointment": "nn-health-platform",
    "lz-edu-resources": "lz-edu-enroll",
    "gx-justice-collab": "gx-justice-video",
}
BASIC_LIBRARIES = {
    "gx-police-population": "population",
    "gx-market-entities": "legal_entity",
    "gx-development-credit": "credit",
    "gx-statistics-economy": "economy",
    "gx-nature-geodata": "geography",
    "gx-bigdata-certificates": "certificates",
}


def named(table: str) -> list[tuple[str, str]]:
    """Code and name, a line each."""
    return [(code, name) for code, name in (line.split(" ", 1) for line in table.strip().splitlines())]
