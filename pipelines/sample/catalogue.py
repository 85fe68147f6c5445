"""The shop: its pages, products, traffic sources and the browsers that visit it, as numbered tables.

Events carry the numbers; the text is put in when files are written.
"""

from dataclasses import dataclass
from enum import IntEnum

HOST = "www.harbourgoods.example"
CURRENCY = "EUR"


class Kind(IntEnum):
    """What a call says; the number that an event carries."""

    PAGE = 0
    PRODUCT_VIEWED = 1
    SEARCHED = 2
    ADDED = 3
    REMOVED = 4
    CART_VIEWED = 5
    CHECKOUT = 6
    COUPON = 7
    SHIPPING = 8
    PAYMENT = 9
    ORDER = 10
    SIGNED_UP = 11
    SIGNED_IN = 12
    IDENTIFY = 13
    REFUND = 14
    REVIEW = 15
    DEMO = 16
    CHECKOUT_ERROR = 17
    FORM = 18


TRACK_NAMES = {
    Kind.PRODUCT_VIEWED: "Product Viewed",
    Kind.SEARCHED: "Products Searched",
    Kind.ADDED: "Product Added",
    Kind.REMOVED: "Product Removed",
    Kind.CART_VIEWED: "Cart Viewed",
    Kind.CHECKOUT: "Checkout Started",
    Kind.COUPON: "Coupon Applied",
    Kind.SHIPPING: "Shipping Entered",
    Kind.PAYMENT: "Payment Info Entered",
    Kind.ORDER: "Order Completed",
    Kind.SIGNED_UP: "Signed Up",
    Kind.SIGNED_IN: "Signed In",
    Kind.REFUND: "Order Refunded",
    Kind.REVIEW: "Review Posted",
    Kind.DEMO: "Demo Requested",
    Kind.CHECKOUT_ERROR: "Checkout Error",
    Kind.FORM: "Form Submitted",
}


# ---------------------------------------------------------------- products


@dataclass(frozen=True)
class Product:
    """Something to buy; the price is in cents."""

    id: str
    name: str
    category: str
    price: int


RANGES = {
    "coffee": (("Hand Grinder", 6900), ("Pour-Over Set", 4900), ("Espresso Machine", 34900), ("Milk Jug", 2400)),
    "tea": (("Teapot", 3900), ("Kettle", 8900), ("Tea Tin", 1400), ("Matcha Bowl", 2900)),
    "cookware": (("Cast-Iron Pan", 7900), ("Saucepan", 5900), ("Roaster", 9900), ("Wok", 6400)),
    "knives": (("Chef's Knife", 8400), ("Paring Knife", 2900), ("Bread Knife", 4900), ("Whetstone", 3400)),
    "tableware": (("Dinner Plate", 1900), ("Bowl Set", 4400), ("Water Glass", 900), ("Cutlery Set", 11900)),
    "storage": (("Glass Jar", 1200), ("Bread Box", 4900), ("Spice Rack", 3600), ("Lunch Box", 2200)),
}
LINES = (("Classic", 100), ("Studio", 125), ("Harbour", 150), ("Mini", 70), ("Pro", 190))

PRODUCTS = tuple(
    Product(f"P{number:03d}", f"{line} {name}", category, price * percent // 100)
    for number, (category, name, price, line, percent) in enumerate(
        (category, name, price, line, percent)
        for category, things in RANGES.items()
        for name, price in things
        for line, percent in LINES
    )
)


# ---------------------------------------------------------------- pages


def _slug(name: str) -> str:
    return name.lower().replace("'", "").replace(" ", "-")


ARTICLES = (
    "How to grind coffee at home",
    "The kettle test",
    "Caring for cast iron",
    "A knife for life",
    "Setting a table for eight",
    "Why your tea is bitter",
    "Ten small kitchens",
    "The pan we almost did not sell",
)
VIRAL_ARTICLE = "/blog/the-pan-we-almost-did-not-sell"
HELP = ("Delivery", "Returns", "Payment", "Warranty")

_STATIC = (
    ("/", "Harbour Goods"),
    ("/search", "Search"),
    ("/pricing", "Membership plans"),
    ("/compare", "Compare products"),
    ("/business", "Harbour Goods for business"),
    ("/account", "Your account"),
    ("/account/login", "Log in"),
    ("/account/orders", "Your orders"),
    ("/cart", "Your cart"),
    ("/checkout", "Checkout"),
    ("/checkout/thank-you", "Thank you"),
)

PAGES = (
    *_STATIC,
    *((f"/blog/{_slug(title)}", title) for title in ARTICLES),
    *((f"/help/{_slug(title)}", f"Help: {title}") for title in HELP),
    *((f"/c/{category}", category.capitalize()) for category in RANGES),
    *((f"/p/{_slug(product.name)}", product.name) for product in PRODUCTS),
)
PAGE = {path: number for number, (path, _) in enumerate(PAGES)}
BLOG_PAGES = tuple(number for path, number in PAGE.items() if path.startswith("/blog/"))
HELP_PAGES = tuple(number for path, number in PAGE.items() if path.startswith("/help/"))
CATEGORY_PAGES = tuple(number for path, number in PAGE.items() if path.startswith("/c/"))
FIRST_PRODUCT_PAGE = len(PAGES) - len(PRODUCTS)

QUERIES = ("espresso", "grinder", "cast iron pan", "gift", "kettle", "knife set", "lunch box", "teapot")
COUPONS = ("WELCOME10", "SPRING15", "FREESHIP")


# ---------------------------------------------------------------- traffic


@dataclass(frozen=True)
class Traffic:
    """A way to come to the shop: where from, with which campaign, and how often (first visits, later ones, business buyers)."""

    name: str
    referrer: str = ""
    source: str = ""
    medium: str = ""
    campaign: str = ""
    click: str = ""
    landing: str = "home"
    weights: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def query(self) -> str:
        """The query of the landing page's address."""
        utm = {"utm_source": self.source, "utm_medium": self.medium, "utm_campaign": self.campaign}
        pairs = [f"{key}={value}" for key, value in utm.items() if value]
        return "?" + "&".join([*pairs, *([self.click] if self.click else [])]) if pairs or self.click else ""


TRAFFIC = (
    Traffic("direct", landing="home", weights=(0.13, 0.42, 0.20)),
    Traffic("google organic", "https://www.google.com/", landing="blog", weights=(0.24, 0.14, 0.24)),
    Traffic("bing organic", "https://www.bing.com/", landing="category", weights=(0.03, 0.02, 0.06)),
    Traffic("duckduckgo organic", "https://duckduckgo.com/", landing="category", weights=(0.02, 0.01, 0.02)),
    Traffic("brand search", "https://www.google.com/", "google", "cpc", "brand", "gclid=CjwKCAjw3Qh", "home", (0.06, 0.10, 0.08)),
    Traffic("shopping ads", "https://www.google.com/", "google", "cpc", "shopping_spring", "gclid=EAIaIQobCh", "category", (0.14, 0.06, 0.02)),
    Traffic("bing ads", "https://www.bing.com/", "bing", "cpc", "cookware", "msclkid=7b1f02d4", "category", (0.03, 0.01, 0.06)),
    Traffic("instagram ads", "https://l.instagram.com/", "instagram", "paid_social", "spring_look", "fbclid=PAZXh0bg", "category", (0.09, 0.03, 0.0)),
    Traffic("facebook ads", "https://l.facebook.com/", "facebook", "paid_social", "lookalike", "fbclid=IwAR2x", "category", (0.06, 0.02, 0.0)),
    Traffic("facebook", "https://l.facebook.com/", landing="blog", weights=(0.04, 0.03, 0.01)),
    Traffic("instagram", "https://l.instagram.com/", landing="blog", weights=(0.05, 0.04, 0.0)),
    Traffic("pinterest", "https://www.pinterest.com/", landing="blog", weights=(0.02, 0.01, 0.0)),
    Traffic("affiliates", "https://brewreviews.example/", "brewreviews", "affiliate", "grinder_guide", landing="category", weights=(0.03, 0.02, 0.0)),
    Traffic("coffee forum", "https://forum.coffee.example/", landing="category", weights=(0.02, 0.04, 0.01)),
    Traffic("linkedin", "https://www.linkedin.com/", "linkedin", "paid_social", "office_kitchens", landing="business", weights=(0.0, 0.0, 0.24)),
    Traffic("display", "", "dv360", "display", "spring_banner", landing="home", weights=(0.03, 0.02, 0.04)),
    Traffic("reddit", "https://www.reddit.com/", landing="blog", weights=(0.01, 0.03, 0.02)),
    Traffic("newsletter", "", "newsletter", "email", "newsletter", landing="category"),
    Traffic("cart mail", "", "crm", "email", "abandoned_cart", landing="cart"),
)  # fmt: skip
TRAFFIC_NUMBER = {traffic.name: number for number, traffic in enumerate(TRAFFIC)}


# ---------------------------------------------------------------- browsers

MOBILE, DESKTOP, TABLET = 0, 1, 2
DEVICES = ("mobile", "desktop", "tablet")

_SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4"
_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko)"

AGENTS = (
    (MOBILE, f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) {_SAFARI} Mobile/15E148 Safari/604.1"),
    (MOBILE, f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) {_SAFARI} Mobile/15E148 Safari/604.1"),
    (MOBILE, f"Mozilla/5.0 (Linux; Android 10; K) {_CHROME} Chrome/136.0.0.0 Mobile Safari/537.36"),
    (
        MOBILE,
        f"Mozilla/5.0 (Linux; Android 14; SM-S921B) {_CHROME} SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36",
    ),
    (DESKTOP, f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Chrome/136.0.0.0 Safari/537.36"),
    (DESKTOP, f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Chrome/136.0.0.0 Safari/537.36 Edg/136.0.0.0"),
    (DESKTOP, "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:138.0) Gecko/20100101 Firefox/138.0"),
    (DESKTOP, f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_SAFARI} Safari/605.1.15"),
    (DESKTOP, f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_CHROME} Chrome/136.0.0.0 Safari/537.36"),
    (TABLET, f"Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) {_SAFARI} Mobile/15E148 Safari/604.1"),
    (TABLET, f"Mozilla/5.0 (Linux; Android 13; SM-X700) {_CHROME} Chrome/136.0.0.0 Safari/537.36"),
)
ROBOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
)
FIRST_ROBOT = len(AGENTS)

FIRST_NAMES = (
    "Ada", "Ben", "Clara", "David", "Elif", "Felix", "Greta", "Hugo", "Ida", "Jonas", "Kira", "Lukas",
    "Mira", "Nils", "Olga", "Paul", "Rosa", "Samir", "Tara", "Udo", "Vera", "Willi", "Yara", "Zoe",
)  # fmt: skip
LAST_NAMES = (
    "Albers", "Brandt", "Conrad", "Demir", "Engel", "Fischer", "Graf", "Hansen", "Ivanov", "Jansen", "Keller", "Lorenz",
    "Meier", "Novak", "Otto", "Petersen", "Richter", "Sommer", "Thiel", "Ulrich", "Vogel", "Winter", "Yilmaz", "Ziegler",
)  # fmt: skip
MAIL_HOSTS = ("mail.example", "post.example", "inbox.example", "letters.example")
